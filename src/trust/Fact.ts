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
import { deviceId, entryHash, toBytes, type DeviceId, type EntryHash } from "../identity/Id.ts"
import type * as Cbor from "../journal/Cbor.ts"
import * as Clock from "../journal/Clock.ts"
import { isMap } from "../journal/crdt/ValueType.ts"
import type { Fact } from "../journal/Entry.ts"
import { isPosition, positionFromCbor, positionToCbor, type Position } from "../journal/Feed.ts"
import * as Genesis from "../journal/Genesis.ts"
import { isCapability, type Capability } from "./Capability.ts"
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
      return decodeAdmit(fact.payload)
    case "aura.delegation.grant":
      return decodeGrant(fact.payload)
    case revokeType:
      return decodeRevoke(fact.payload)
    default:
      return { _tag: "Unknown", type: fact.type }
  }
}

const decodeAdmit = (payload: Cbor.Cbor): DecodedFact => {
  if (!hasKeys(payload, ["device", "box", "name"])) return malformed("not {device, box, name}")
  const { device, box, name } = payload
  if (!isBytes32(device)) return malformed("device is not 32 bytes")
  if (!isBytes32(box)) return malformed("box is not 32 bytes")
  if (!isText(name, deviceNameCharactersMax)) return malformed(`name is no text of at most ${deviceNameCharactersMax}`)
  return { _tag: "Admit", device: deviceId(device), box, name }
}

const decodeGrant = (payload: Cbor.Cbor): DecodedFact => {
  if (!hasKeys(payload, ["device", "rights"])) return malformed("not {device, rights}")
  const { device, rights } = payload
  if (!isBytes32(device)) return malformed("device is not 32 bytes")
  if (!isList(rights, grantRightsMax) || rights.length === 0)
    return malformed(`rights is no list of 1 to ${grantRightsMax}`)
  const decoded: Array<Right> = []
  for (const item of rights) {
    const right = rightFromCbor(item)
    if (typeof right === "string") return malformed(`right ${decoded.length}: ${right}`)
    decoded.push(right)
  }
  return { _tag: "Grant", device: deviceId(device), rights: decoded }
}

const decodeRevoke = (payload: Cbor.Cbor): DecodedFact => {
  if (!hasKeys(payload, ["device", "admission", "cut", "reason"]))
    return malformed("not {device, admission, cut, reason}")
  const { device, admission, cut, reason } = payload
  if (!isBytes32(device)) return malformed("device is not 32 bytes")
  if (!isBytes32(admission)) return malformed("admission is not 32 bytes")
  if (!isText(reason, reasonCharactersMax)) return malformed(`reason is no text of at most ${reasonCharactersMax}`)
  if (!isList(cut, cutPositionsMax) || !cut.every(isPosition))
    return malformed(`cut is no list of at most ${cutPositionsMax} positions`)
  const positions = cut.map(positionFromCbor)
  if (new Set(positions.map((position) => position.feed)).size !== positions.length)
    return malformed("cut names a feed twice")
  return { _tag: "Revoke", device: deviceId(device), admission: entryHash(admission), cut: positions, reason }
}

/** A right, or why it is none. */
const rightFromCbor = (value: Cbor.Cbor): Right | string => {
  if (!hasKeys(value, ["capability", "depth", "from", "until"])) return "not {capability, depth, from, until}"
  const { capability, depth, from, until } = value
  if (typeof capability !== "string" || !isCapability(capability)) return "no capability"
  if (typeof depth !== "number" || !Number.isSafeInteger(depth) || depth < 0 || depth > grantDepthMax)
    return `depth is no integer from 0 to ${grantDepthMax}`
  if (!isBound(from) || !isBound(until)) return "from and until are a time or null"
  return { capability, depth, from: from ?? undefined, until: until ?? undefined }
}

const rightToCbor = (right: Right): Cbor.Cbor => ({
  capability: right.capability,
  depth: right.depth,
  from: right.from ?? null,
  until: right.until ?? null
})

/** Whether it is a map of these keys and no others. */
const hasKeys = <Key extends string>(
  value: Cbor.Cbor,
  keys: ReadonlyArray<Key>
): value is { readonly [key in Key]: Cbor.Cbor } =>
  isMap(value) && Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key))

const isBytes32 = (value: Cbor.Cbor): value is Uint8Array => value instanceof Uint8Array && value.length === 32

const isText = (value: Cbor.Cbor, charactersMax: number): value is string =>
  typeof value === "string" && value.length <= charactersMax

const isList = (value: Cbor.Cbor, itemsMax: number): value is ReadonlyArray<Cbor.Cbor> & Cbor.Cbor =>
  Array.isArray(value) && value.length <= itemsMax

const isBound = (value: Cbor.Cbor): value is number | null =>
  value === null || (typeof value === "number" && Clock.isTime(value))

const malformed = (what: string): Malformed => ({ _tag: "Malformed", what })
