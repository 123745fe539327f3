/**
 * An entry: one or more facts written atomically by one device in one space; the unit of the journal.
 *
 * Body, in feeds of version 1: the deterministic CBOR of [keyEpoch, definition, seen, facts] or, with a request, [… , request]
 *     keyEpoch    null; 32 bytes once content is sealed (a reader that does not know it keeps the entry waiting)
 *     definition  null in authority feeds; in data feeds the DefinitionId (32) by which its facts are judged
 *     seen        null or a list of positions [feed (32), seq, hash (32)] in authority feeds, sorted by feed:
 *                 what the author had seen and had not yet named in this feed. At every seq divisible by 1 024 it
 *                 is complete and stands for all that was named before, so reading may start there.
 *     facts       [[type, payload]…], at least one; in data feeds the payload is a list of changes (journal/crdt)
 *     request     on whose behalf it was written, and under which idempotency key (journal/Request.ts)
 *
 *   hash(n) = SHA-256("aura/entry/v1" NUL ‖ hash(n−1) ‖ u64 seq ‖ u64 time ‖ body),   hash(−1) = FeedId
 *
 * so a hash binds its feed, device and space through the header, and every entry before it. The body is hashed
 * expanded, never in the abbreviated form that runs carry (journal/Run.ts): a run's dictionary can't change a meaning.
 */
import * as Result from "effect/Result"
import * as Bytes from "../identity/Bytes.ts"
import { domain, hashScratch, makeScratch } from "../identity/Hash.ts"
import { definitionId, toBytes, type DefinitionId } from "../identity/Id.ts"
import * as Cbor from "./Cbor.ts"
import { isPosition, positionFromCbor, positionToCbor, type Position } from "./Feed.ts"
import { entryBytesMax, entryFactsMax, factTypeCharactersMax, seenPositionsMax } from "./limits.ts"
import * as Request from "./Request.ts"

/** One immutable statement. What the payload may be is for the reader of the type to decide. */
export interface Fact {
  readonly type: string
  readonly payload: Cbor.Cbor
}

export interface Body {
  readonly keyEpoch: Uint8Array | undefined
  readonly definition: DefinitionId | undefined
  /** Empty when nothing new was seen. */
  readonly seen: ReadonlyArray<Position>
  readonly facts: ReadonlyArray<Fact>
  readonly request: Request.Request | undefined
}

/** A body that is not one. The chain goes on behind it; nothing of it applies. */
export interface EntryMalformed {
  readonly _tag: "EntryMalformed"
  readonly what: string
}

export const encode = (body: Body): Uint8Array => {
  const fields: Array<Cbor.Cbor> = [
    body.keyEpoch ?? null,
    body.definition === undefined ? null : toBytes(body.definition),
    body.seen.length === 0 ? null : body.seen.map(positionToCbor),
    body.facts.map((fact) => [fact.type, fact.payload])
  ]
  if (body.request !== undefined) fields.push(Request.toCbor(body.request))
  return Cbor.encode(fields)
}

/**
 * The same, in memory that many share. What entries of one operation begin with is written once, and the seldom parts
 * take the long way.
 */
export const encodeIn = (room: Cbor.Room, body: Body): Uint8Array => {
  const { definition, facts, keyEpoch, request, seen } = body
  const isPlain = definition !== undefined && keyEpoch === undefined && request === undefined && seen.length === 0
  if (!isPlain || facts.length !== 1) return encode(body)
  const { payload, type } = facts[0]!
  // the payload stands in a fact, in the list of facts, in the body
  return Cbor.encodeLast(room, beginningOf(definition, type), payload, Cbor.depthMaxDefault - 3)
}

/** [null, definition, null, [[type, … */
const beginningOf = (definition: DefinitionId, type: string): Uint8Array => {
  const known = beginnings.get(definition)?.get(type)
  if (known !== undefined) return known
  const whole = encode({
    keyEpoch: undefined,
    definition,
    seen: none,
    facts: [{ type, payload: null }],
    request: undefined
  })
  const beginning = whole.slice(0, -1)
  if (beginnings.size >= beginningsMax) beginnings.clear()
  beginnings.set(definition, new Map(beginnings.get(definition)).set(type, beginning))
  return beginning
}

/** By definition and type; what is forgotten is found again. */
const beginnings = new Map<DefinitionId, ReadonlyMap<string, Uint8Array>>()
const beginningsMax = 64

/** Most entries are plain ones of the application's, and read at once; what is anything else is read with care. */
export const decode = (bytes: Uint8Array): Result.Result<Body, EntryMalformed> => {
  const plain = decodePlain(bytes)
  return plain === undefined ? decodeAny(bytes) : Result.succeed(plain)
}

/** What `decode` answers, found the long way: for laws (test/journal/Entry.test.ts). */
export const decodeAny = (bytes: Uint8Array): Result.Result<Body, EntryMalformed> => {
  if (bytes.length > entryBytesMax) return malformed(`longer than ${entryBytesMax} bytes`)
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  const fields = decoded.success
  if (!Array.isArray(fields) || fields.length < 4 || fields.length > 5) return malformed("not an array of 4 or 5")
  const [keyEpoch, definition, seen, facts, request] = fields as ReadonlyArray<Cbor.Cbor>
  if (keyEpoch !== null && !isBytes32(keyEpoch)) return malformed("keyEpoch is not 32 bytes")
  if (definition !== null && !isBytes32(definition)) return malformed("definition is not 32 bytes")
  if (!isSeen(seen)) return malformed("seen is not a sorted list of positions")
  if (!isFacts(facts)) return malformed(`facts is not a list of 1 to ${entryFactsMax} [type, payload]`)
  const asked = request === undefined ? undefined : Request.fromCbor(request)
  if (request !== undefined && asked === undefined) return malformed("request is no request")
  return Result.succeed({
    keyEpoch: keyEpoch === null ? undefined : keyEpoch,
    definition: definition === null ? undefined : definitionId(definition),
    seen: seen === null ? none : seen.map(positionFromCbor),
    facts: facts.map(([type, payload]) => ({ type, payload })),
    request: asked
  })
}

/**
 * [null, definition, null, [[type, payload]]], read without what stands around the payload; undefined for all else. The
 * definition and the type of the last such entry are compared rather than made: entries that follow each other share them.
 */
const decodePlain = (bytes: Uint8Array): Body | undefined => {
  if (bytes.length < plainBytesMin || bytes.length > entryBytesMax || bytes.constructor !== Uint8Array) return undefined
  if (bytes[0] !== 0x84 || bytes[1] !== 0xf6 || bytes[2] !== 0x58 || bytes[3] !== 32) return undefined
  if (bytes[36] !== 0xf6 || bytes[37] !== 0x81 || bytes[38] !== 0x82) return undefined
  const cursor: Cbor.Cursor = { bytes, at: 39 }
  const type = Cbor.decodeAt(cursor, factDepthMax)
  if (type !== lastType) {
    if (!isFactType(type)) return undefined
    lastType = type
  }
  const payload = Cbor.decodeAt(cursor, factDepthMax)
  if (payload === Cbor.malformed || cursor.at !== bytes.length) return undefined
  return {
    keyEpoch: undefined,
    definition: definitionAt(bytes, 4),
    seen: none,
    facts: [{ type: lastType, payload }],
    request: undefined
  }
}

/** Up to the payload, at least. */
const plainBytesMin = 39

/** A payload stands in a fact, in the list of facts, in the body. */
const factDepthMax = Cbor.depthMaxDefault - 3

/** Always one that `isFactType` let pass. */
let lastType = "a.a"
const lastDefinitionBytes = new Uint8Array(32)
let lastDefinition = definitionId(lastDefinitionBytes)

const definitionAt = (bytes: Uint8Array, from: number): DefinitionId => {
  let at = 0
  while (at < 32 && bytes[from + at] === lastDefinitionBytes[at]) at++
  if (at === 32) return lastDefinition
  lastDefinitionBytes.set(bytes.subarray(from, from + 32))
  return (lastDefinition = definitionId(lastDefinitionBytes))
}

const entryDomain = domain("aura/entry/v1")
const fixedBytes = entryDomain.length + 32 + 16
const begin = (length: number) => {
  const room = makeScratch(length)
  room.bytes.set(entryDomain)
  return room
}
let scratch = begin(4096)

/** The chained hash of an entry; owns its result. It is put together in scratch memory and hashed there. */
export const chain = (previous: Uint8Array, seq: number, time: number, body: Uint8Array): Uint8Array => {
  const length = fixedBytes + body.length
  if (length > scratch.lengthMax) scratch = begin(length * 2)
  const { bytes, view } = scratch
  bytes.set(previous, entryDomain.length)
  writeU64(view, entryDomain.length + 32, seq)
  writeU64(view, entryDomain.length + 40, time)
  bytes.set(body, fixedBytes)
  return hashScratch(scratch, length)
}

/** Big-endian; `value` is a safe integer. */
export const writeU64 = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, Math.floor(value / 2 ** 32))
  view.setUint32(at + 4, value % 2 ** 32)
}

const none: ReadonlyArray<Position> = []

const isBytes32 = (value: Cbor.Cbor | undefined): value is Uint8Array =>
  value instanceof Uint8Array && value.length === 32

const isSeen = (value: Cbor.Cbor | undefined): value is null | Array<[Uint8Array, number, Uint8Array]> => {
  if (value === null) return true
  if (!Array.isArray(value) || value.length === 0 || value.length > seenPositionsMax) return false
  let before: Uint8Array | undefined
  for (const position of value as ReadonlyArray<Cbor.Cbor>) {
    if (!isPosition(position) || (before !== undefined && Bytes.compare(before, position[0]) >= 0)) return false
    before = position[0]
  }
  return true
}

const isFacts = (value: Cbor.Cbor | undefined): value is Array<[string, Cbor.Cbor]> => {
  if (!Array.isArray(value) || value.length === 0 || value.length > entryFactsMax) return false
  for (const fact of value as ReadonlyArray<Cbor.Cbor>) {
    if (!Array.isArray(fact) || fact.length !== 2 || !isFactType(fact[0])) return false
  }
  return true
}

/** `tasks.add`, `aura.device.revoke`: words of lower-case letters, digits and `-` or capitals inside, joined by dots. */
export const isFactType = (value: unknown): value is string =>
  typeof value === "string" &&
  value.length <= factTypeCharactersMax &&
  /^[a-z][A-Za-z0-9-]*(\.[a-z][A-Za-z0-9-]*)+$/.test(value)

/** Whether a body has a request, told from its first byte: what has none is an array of four. */
export const mayHaveRequest = (body: Uint8Array): boolean => body[0] === 0x85

const malformed = (what: string): Result.Result<never, EntryMalformed> =>
  Result.fail({ _tag: "EntryMalformed", what: `entry body: ${what}` })
