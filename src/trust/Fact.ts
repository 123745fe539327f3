/**
 * Authority facts: what the payloads of `aura.*` facts are, and nothing about what they mean (trust/Authority.ts).
 *
 * Payloads are CBOR maps; ids, hashes and keys are 32 bytes. A payload with a missing, ill-typed or additional key is
 * malformed and never counts; a type that this version does not know is kept, shown and without effect. New meaning
 * comes as a new type, never as a new key of an old one.
 *
 *     aura.space.create        the genesis record, as bytes (journal/Genesis.ts)
 *     aura.app.define          an application's definition, as bytes (trust/Definition.ts)
 *     aura.device.admit        {device, box, name}
 *     aura.delegation.grant    {device, rights: [{capability, depth, from, until}…]}
 *     aura.device.revoke       {device, admission, cut: [[feed, seq, hash]…], reason}
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { deviceId, entryHash, toBytes, type DeviceId, type EntryHash } from "../identity/Id.ts"
import type * as Cbor from "../journal/Cbor.ts"
import * as Clock from "../journal/Clock.ts"
import type { Fact } from "../journal/Entry.ts"
import { isPosition, positionFromCbor, positionToCbor, type Position } from "../journal/Feed.ts"
import * as Genesis from "../journal/Genesis.ts"
import { Capability } from "./Capability.ts"
import * as Definition from "./Definition.ts"
import {
  cutPositionsMax,
  deviceNameCharactersMax,
  grantDepthMax,
  grantRightsMax,
  reasonCharactersMax
} from "./limits.ts"

/**
 * A permission with what limits it; the parts travel together and are met link by link, never joined across rights.
 * `depth` = how many further hops it may be passed on; 0 = use only. The window is inclusive, in entry time.
 */
export interface Right {
  readonly capability: Capability
  readonly depth: number
  readonly from: number | undefined
  readonly until: number | undefined
}

export interface Create {
  readonly _tag: "Create"
  readonly genesis: ReturnType<typeof Genesis.encode>["bytes"]
}
export interface Define {
  readonly _tag: "Define"
  readonly definition: Definition.Definition
}
export interface Admit {
  readonly _tag: "Admit"
  readonly device: DeviceId
  /** X25519 public key to which content keys will be sealed. */
  readonly box: Uint8Array
  readonly name: string
}
export interface Grant {
  readonly _tag: "Grant"
  readonly device: DeviceId
  readonly rights: ReadonlyArray<Right>
}
export interface Revoke {
  readonly _tag: "Revoke"
  readonly device: DeviceId
  /** Hash of the entry that admitted the device; it lies in the past of this one. */
  readonly admission: EntryHash
  /** Per feed the last entry left alone; a feed not named is cut at its start. */
  readonly cut: ReadonlyArray<Position>
  readonly reason: string
}
/** Known type, wrong payload. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly what: string
}
/** A type of a later version. */
export interface Unknown {
  readonly _tag: "Unknown"
  readonly type: string
}

export type AuthorityFact = Create | Define | Admit | Grant | Revoke
export type DecodedFact = AuthorityFact | Malformed | Unknown

/** Type of the fact by which a device is put out. */
export const revokeType = "aura.device.revoke"

/** Types of facts that only authority feeds may hold begin with this. */
export const authorityPrefix = "aura."

/** Dies on what `decode` would refuse, for that is a mistake of ours and would never count. */
export const encode = (fact: AuthorityFact): Fact => {
  const encoded = toFact(fact)
  const decoded = decode(encoded)
  if (decoded._tag === "Malformed") throw new TypeError(`no ${encoded.type}: ${decoded.what}`)
  return encoded
}

const toFact = (fact: AuthorityFact): Fact => {
  switch (fact._tag) {
    case "Create":
      return { type: "aura.space.create", payload: fact.genesis }
    case "Define":
      return { type: "aura.app.define", payload: fact.definition.bytes }
    case "Admit":
      return { type: "aura.device.admit", payload: { device: toBytes(fact.device), box: fact.box, name: fact.name } }
    case "Grant":
      return {
        type: "aura.delegation.grant",
        payload: { device: toBytes(fact.device), rights: fact.rights.map(rightToCbor) }
      }
    case "Revoke":
      return {
        type: revokeType,
        payload: {
          device: toBytes(fact.device),
          admission: toBytes(fact.admission),
          cut: fact.cut.map(positionToCbor),
          reason: fact.reason
        }
      }
  }
}

export const decode = (fact: Fact): DecodedFact => {
  switch (fact.type) {
    case "aura.space.create": {
      if (!(fact.payload instanceof Uint8Array)) return malformed("not bytes")
      const genesis = Genesis.decode(fact.payload)
      return Result.isSuccess(genesis) ? { _tag: "Create", genesis: fact.payload } : malformed(genesis.failure.what)
    }
    case "aura.app.define": {
      if (!(fact.payload instanceof Uint8Array)) return malformed("not bytes")
      const definition = Definition.decode(fact.payload)
      return Result.isSuccess(definition)
        ? { _tag: "Define", definition: definition.success }
        : malformed(definition.failure.what)
    }
    case "aura.device.admit":
      return decodeWith(AdmitPayload, fact.payload, ({ device, box, name }) => ({
        _tag: "Admit",
        device: deviceId(device),
        box,
        name
      }))
    case "aura.delegation.grant":
      return decodeWith(GrantPayload, fact.payload, ({ device, rights }) => ({
        _tag: "Grant",
        device: deviceId(device),
        rights: rights.map((right) => ({
          capability: right.capability,
          depth: right.depth,
          from: right.from ?? undefined,
          until: right.until ?? undefined
        }))
      }))
    case revokeType:
      return decodeWith(RevokePayload, fact.payload, ({ device, admission, cut, reason }) => {
        const positions: Array<Position> = []
        for (const item of cut as ReadonlyArray<Cbor.Cbor>) {
          if (!isPosition(item)) return malformed("cut is not a list of positions")
          positions.push(positionFromCbor(item))
        }
        if (new Set(positions.map((position) => position.feed)).size !== positions.length)
          return malformed("cut names a feed twice")
        return { _tag: "Revoke", device: deviceId(device), admission: entryHash(admission), cut: positions, reason }
      })
    default:
      return { _tag: "Unknown", type: fact.type }
  }
}

/** UTF-16 code units of what is said about a malformed payload. */
const whatCharactersMax = 200

const Bytes32 = Schema.Uint8Array.pipe(
  Schema.check(Schema.makeFilter((bytes: Uint8Array) => bytes.length === 32, { expected: "32 bytes" }))
)
const EntryTime = Schema.Finite.pipe(Schema.check(Schema.makeFilter(Clock.isTime, { expected: "a time" })))
const text = (charactersMax: number) => Schema.String.pipe(Schema.check(Schema.isMaxLength(charactersMax)))

const AdmitPayload = Schema.Struct({ device: Bytes32, box: Bytes32, name: text(deviceNameCharactersMax) })

const GrantPayload = Schema.Struct({
  device: Bytes32,
  rights: Schema.Array(
    Schema.Struct({
      capability: Capability,
      depth: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: grantDepthMax }))),
      from: Schema.NullOr(EntryTime),
      until: Schema.NullOr(EntryTime)
    })
  ).pipe(Schema.check(Schema.isMinLength(1), Schema.isMaxLength(grantRightsMax)))
})

const RevokePayload = Schema.Struct({
  device: Bytes32,
  admission: Bytes32,
  cut: Schema.Array(Schema.Unknown).pipe(Schema.check(Schema.isMaxLength(cutPositionsMax))),
  reason: text(reasonCharactersMax)
})

const rightToCbor = (right: Right): Cbor.Cbor => ({
  capability: right.capability,
  depth: right.depth,
  from: right.from ?? null,
  until: right.until ?? null
})

const decodeWith = <Payload>(
  schema: Schema.Codec<Payload, unknown>,
  payload: Cbor.Cbor,
  meaning: (payload: Payload) => DecodedFact
): DecodedFact => {
  const decoded = Schema.decodeUnknownResult(schema, { onExcessProperty: "error" })(payload)
  return Result.isSuccess(decoded) ? meaning(decoded.success) : malformed(inOneLine(decoded.failure.message))
}

/** Keys of a payload are its author's words, so what names them is kept short. */
const inOneLine = (message: string): string => message.replace(/\s+/g, " ").slice(0, whatCharactersMax)

const malformed = (what: string): Malformed => ({ _tag: "Malformed", what })
