/**
 * A space on paper: entries with fake but unique hashes, no keys, no signatures, no bytes.
 *
 * By default an entry follows its author's last one in the author's first feed and has seen everything written before
 * it; its time is one more than that of any entry before it.
 */
import * as Result from "effect/Result"
import { deviceId, entryHash, feedId, spaceId, type DeviceId, type EntryHash } from "../../src/identity/Id.ts"
import type { Feed, Position } from "../../src/journal/Feed.ts"
import * as Genesis from "../../src/journal/Genesis.ts"
import type { AuthorityEntry } from "../../src/trust/Authority.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Definition from "../../src/trust/Definition.ts"
import type { Level, Severity } from "../../src/trust/Level.ts"
import type { Policy } from "../../src/trust/Policy.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import * as Right from "../../src/trust/Right.ts"

const device = (letter: string): DeviceId => deviceId(new Uint8Array(32).fill(letter.charCodeAt(0)))

export const root = device("R")
export const alice = device("A")
export const bob = device("B")
export const carol = device("C")
export const mallory = device("M")
export const dave = device("D")

/** Alice founds it; root is nobody's device. */
export const genesis: Genesis.Genesis = { root, creator: alice, app: "paper", nonce: new Uint8Array(16), time: 0 }

/** 32 bytes that no other number gets, in no particular order. */
const bytesOf = (number: number): Uint8Array => {
  const bytes = new Uint8Array(32)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Math.imul(number + 1, 0x9e3779b1) >>> 0)
  view.setUint32(28, number)
  return bytes
}

/** Somebody among many. */
export const nobody = (number: number): DeviceId => deviceId(bytesOf(2_000_000 + number))

export const hashOf = (number: number): EntryHash => entryHash(bytesOf(number))

/** The `incarnation`-th authority feed of a device. */
export const feedOf = (author: DeviceId, incarnation = 0): Feed => {
  const number = Number.parseInt(author.slice(-8), 16) * 4 + incarnation
  return {
    id: feedId(bytesOf(number + 1_000_000)),
    bytes: new Uint8Array(0),
    space: spaceId(new Uint8Array(32)),
    device: author,
    kind: "authority",
    nonce: new Uint8Array(16),
    time: 0,
    closes: undefined,
    key: undefined
  }
}

export const at = ({ feed, hash, seq }: AuthorityEntry): Position => ({ feed: feed.id, seq, hash })

export const create: Fact.Create = { _tag: "Create", genesis: Genesis.encode(genesis).bytes }

export const admit = (admitted: DeviceId, name = "somebody"): Fact.Admit => ({
  _tag: "Admit",
  device: admitted,
  box: new Uint8Array(32),
  name
})

/** A right in short: any time, to be used only, unless it says otherwise. */
export const right = (text: string, limits: Partial<Fact.Right> = {}): Fact.Right =>
  Right.make(capability(text), limits)

export const grant = (grantee: DeviceId, ...rights: ReadonlyArray<Fact.Right>): Fact.Grant => ({
  _tag: "Grant",
  device: grantee,
  rights
})

const fields = { notes: { kind: "LWWMap", value: { kind: "string", maxLength: 10 } } } as const

/** A definition told from others by its version. */
export const define = (version: number): Fact.Define => ({
  _tag: "Define",
  definition: Result.getOrThrow(Definition.make({ app: "paper", version, fields, operations: {} }))
})

/** The last entries that a restriction leaves alone. */
export type Cut = ReadonlyArray<AuthorityEntry | Position>

/** What every restriction says besides. */
const restricting = (cut: Cut): Fact.Restricting => ({
  cut: cut.map((last) => ("facts" in last ? at(last) : last)),
  reason: ""
})

/** Ends a device that `admission` admitted, after the last entries that are left alone. */
export const revoke = (ended: DeviceId, admission: AuthorityEntry, ...cut: Cut): Fact.Revoke => ({
  _tag: "Revoke",
  device: ended,
  admission: admission.hash,
  ...restricting(cut)
})

/** Withdraws what an entry granted somebody. */
export const ungrant = (grantee: DeviceId, { hash }: AuthorityEntry, ...cut: Cut): Fact.Ungrant => ({
  _tag: "Ungrant",
  device: grantee,
  grant: hash,
  ...restricting(cut)
})

const ceilingOf = (ceiling: ReadonlyArray<string>): Fact.Refine["ceiling"] => ceiling.map((text) => capability(text))

/** A ceiling over what a device holds. */
export const refine = (
  device: DeviceId,
  { hash }: AuthorityEntry,
  ceiling: ReadonlyArray<string>,
  ...cut: Cut
): Fact.Refine => ({
  _tag: "Refine",
  device,
  admission: hash,
  grant: undefined,
  ceiling: ceilingOf(ceiling),
  ...restricting(cut)
})

/** A ceiling over what came through a grant. */
export const refineGrant = (
  device: DeviceId,
  { hash }: AuthorityEntry,
  ceiling: ReadonlyArray<string>,
  ...cut: Cut
): Fact.Refine => ({
  _tag: "Refine",
  device,
  admission: undefined,
  grant: hash,
  ceiling: ceilingOf(ceiling),
  ...restricting(cut)
})

/** What an operation of the application on paper demands from now on. */
export const setPolicy = (operation: string, policy: Policy | undefined, ...cut: Cut): Fact.SetPolicy => ({
  _tag: "SetPolicy",
  app: "paper",
  operation,
  policy,
  ...restricting(cut)
})

export const relate = (device: DeviceId, level: Level): Fact.Relate => ({ _tag: "Relate", device, level })

export const attest = (device: DeviceId): Fact.Attest => ({ _tag: "Attest", device, claim: "is known to me" })

export const lower = (device: DeviceId, { hash }: AuthorityEntry, level: Level, ...cut: Cut): Fact.Lower => ({
  _tag: "Lower",
  device,
  admission: hash,
  level,
  ...restricting(cut)
})

export const report = (device: DeviceId, { hash }: AuthorityEntry, severity: Severity, ...cut: Cut): Fact.Report => ({
  _tag: "Report",
  device,
  admission: hash,
  severity,
  ...restricting(cut)
})

/** Takes a restriction back: the first fact of an entry, or another one. */
export const lift = ({ hash }: AuthorityEntry, index = 0): Fact.Lift => ({ _tag: "Lift", entry: hash, index })

/** Says which branch of a forked feed counts, and up to where. */
export const settle = (last: AuthorityEntry | Position): Fact.Settle => ({
  _tag: "Settle",
  ...("facts" in last ? at(last) : last)
})

export const seal = (...positions: Cut): Fact.Seal => ({
  _tag: "Seal",
  positions: restricting(positions).cut,
  digest: new Uint8Array(32)
})

/** A position in a feed of data that a device is said to have. */
export const dataAt = (author: DeviceId, seq: number): Position => ({
  feed: feedOf(author, 3).id,
  seq,
  hash: hashOf(700_000 + seq)
})

export interface Options {
  readonly incarnation?: number
  /** The entry to follow, when it is not the last one of the feed: this forks the feed. */
  readonly after?: AuthorityEntry | "nothing"
  readonly seen?: ReadonlyArray<AuthorityEntry>
  readonly time?: number
}

export interface Paper {
  readonly entries: Array<AuthorityEntry>
  readonly write: (author: DeviceId, facts: ReadonlyArray<Fact.DecodedFact>, options?: Options) => AuthorityEntry
}

/** An empty sheet. */
export const paper = (): Paper => {
  const entries: Array<AuthorityEntry> = []
  const lastOf = (feed: Feed): AuthorityEntry | undefined => entries.findLast((entry) => entry.feed.id === feed.id)
  return {
    entries,
    write: (author, facts, { after, incarnation = 0, seen, time } = {}) => {
      const feed = feedOf(author, incarnation)
      const previous = after === "nothing" ? undefined : (after ?? lastOf(feed))
      const entry: AuthorityEntry = {
        feed: previous?.feed ?? feed,
        seq: previous === undefined ? 0 : previous.seq + 1,
        hash: hashOf(entries.length),
        previousHash: previous?.hash ?? entryHash(bytesOf(entries.length + 500_000)),
        time: time ?? Math.max(0, ...entries.map((one) => one.time)) + 1,
        seen: (seen ?? entries).map(at),
        facts
      }
      entries.push(entry)
      return entry
    }
  }
}

/** A sheet on which Alice has founded the space and admitted Bob, Carol and Mallory with the rights given here. */
export const household = (rights: Partial<Record<"bob" | "carol" | "mallory", ReadonlyArray<Fact.Right>>>) => {
  const sheet = paper()
  const founding = sheet.write(alice, [create])
  const bring = (guest: DeviceId, name: string, given: ReadonlyArray<Fact.Right>): AuthorityEntry =>
    sheet.write(alice, [admit(guest, name), ...(given.length === 0 ? [] : [grant(guest, ...given)])])
  return {
    ...sheet,
    founding,
    bob: bring(bob, "Bob", rights.bob ?? []),
    carol: bring(carol, "Carol", rights.carol ?? []),
    mallory: bring(mallory, "Mallory", rights.mallory ?? [])
  }
}
