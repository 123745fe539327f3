/**
 * Aura's side of the questions about authority: the one file of the bench that knows `src/trust`.
 *
 * Entries are values as the runtime hands them over once their chains and signatures are verified: their hashes are made
 * up and distinct, their bytes are nowhere. They name as seen what the runtime would name: of what is news to them those
 * entries that lie in no other's past; or, to show what that saves, the last entry of every other authority feed.
 * It times nothing (timing.ts) and draws nothing (delegations.ts).
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Keys } from "../src/effects/Keys.ts"
import { Verifier } from "../src/effects/Verifier.ts"
import * as MemoryKeys from "../src/handlers/memory/MemoryKeys.ts"
import * as NodeVerifier from "../src/handlers/node/NodeVerifier.ts"
import { deviceId, entryHash, feedId, spaceId, toBytes, type DeviceId, type FeedId } from "../src/identity/Id.ts"
import * as JournalEntry from "../src/journal/Entry.ts"
import type { Feed, Position } from "../src/journal/Feed.ts"
import * as Genesis from "../src/journal/Genesis.ts"
import * as Run from "../src/journal/Run.ts"
import type { Ledger } from "../src/runtime/Ledger.ts"
import * as Authority from "../src/trust/Authority.ts"
import { capability } from "../src/trust/Capability.ts"
import * as Decision from "../src/trust/Decision.ts"
import * as Definition from "../src/trust/Definition.ts"
import * as Fact from "../src/trust/Fact.ts"
import * as Policy from "../src/trust/Policy.ts"
import * as Right from "../src/trust/Right.ts"
import { devicesCount, leaf, trunk, type Act } from "./delegations.ts"

export type Known = Authority.Authority
export type Entry = Authority.AuthorityEntry

/** 32 bytes that no other number of the same sort gets, in no particular order. */
const bytesOf = (sort: number, number: number): Uint8Array => {
  const bytes = new Uint8Array(32)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Math.imul(number + 1, 0x9e3779b1) >>> 0)
  view.setUint32(24, sort)
  view.setUint32(28, number)
  return bytes
}

const devices = Array.from({ length: devicesCount }, (_, number) => deviceId(bytesOf(1, number)))
const root = deviceId(bytesOf(1, devicesCount))
const genesis: Genesis.Genesis = { root, creator: devices[0]!, app: "bench", nonce: new Uint8Array(16), time: 0 }
const founding = Genesis.encode(genesis)
const space = spaceId(bytesOf(2, 0))
/** What is asked for is written into a feed of data that begins. */
const dataFeed = feedId(bytesOf(5, 0))

/** Task 7 is written with `task:write/tasks/7`, notes with `note:write`. */
export const definition: Definition.Definition = Result.getOrThrow(
  Definition.make({
    app: "bench",
    version: 1,
    fields: {
      tasks: { kind: "LWWMap", value: { kind: "string", maxLength: 100 } },
      notes: { kind: "LWWMap", value: { kind: "string", maxLength: 100 } }
    },
    operations: {
      "task.rename": {
        writes: ["tasks/{id}:set"],
        policy: Policy.make({ capabilities: [capability("task:write")] }),
        resource: "tasks/{id}"
      },
      "note.write": {
        writes: ["notes/{id}:set"],
        policy: Policy.make({ capabilities: [capability("note:write")] }),
        resource: undefined
      }
    }
  })
)

const create: ReadonlyArray<Fact.DecodedFact> = [
  { _tag: "Create", genesis: founding.bytes },
  { _tag: "Define", definition }
]

const admit = (device: DeviceId): Fact.Admit => ({ _tag: "Admit", device, box: new Uint8Array(32), name: "somebody" })

const grant = (device: DeviceId, text: string, depth: number, until?: number): Fact.Grant => ({
  _tag: "Grant",
  device,
  rights: [Right.make(capability(text), { depth, until })]
})

const feedOf = (author: DeviceId, number: number): Feed => ({
  id: feedId(bytesOf(3, number)),
  bytes: new Uint8Array(0),
  space,
  device: author,
  kind: "authority",
  nonce: new Uint8Array(16),
  time: 0,
  closes: undefined,
  key: undefined
})

/** What of its news an entry names: all of it, or what no other part of it had seen. */
export type Naming = "all" | "last"

/** Writes entries one after the other, each a tick later than the one before. */
const writer = (naming: Naming = "last") => {
  const entries: Array<Entry> = []
  const feeds = new Map<DeviceId, Feed>()
  const positions: Array<Position> = []
  const latest = new Map<DeviceId, Entry>()
  /** Per author, how far it had looked; what is news to it is what came since. */
  const looked = new Map<DeviceId, number>()
  /** Per entry, how far its author had looked: that and its author's own is its past. */
  const horizons: Array<number> = []
  const news = (author: DeviceId, horizon: number): ReadonlyArray<Position> => {
    const found = new Map<FeedId, Position>()
    let behind = 0
    for (let number = horizon - 1; number >= (looked.get(author) ?? 0); number--) {
      const position = positions[number]!
      if (entries[number]!.feed.device === author || found.has(position.feed) || number < behind) continue
      found.set(position.feed, position)
      if (naming === "last") behind = Math.max(behind, horizons[number]!)
    }
    looked.set(author, horizon)
    horizons.push(horizon)
    return [...found.values()].sort((a, b) => (a.feed < b.feed ? -1 : 1))
  }
  const next = (author: DeviceId, facts: ReadonlyArray<Fact.DecodedFact>, seen: ReadonlyArray<Position>): Entry => {
    const number = entries.length
    const previous = latest.get(author)
    return {
      feed: feeds.get(author) ?? feedOf(author, feeds.size),
      seq: previous === undefined ? 0 : previous.seq + 1,
      hash: entryHash(bytesOf(4, number)),
      previousHash: previous?.hash ?? entryHash(bytesOf(3, number)),
      time: number + 1,
      seen,
      facts
    }
  }
  return {
    entries,
    /** An entry that might come next; it is not written. Its author has seen all. */
    next: (author: DeviceId, facts: ReadonlyArray<Fact.DecodedFact>): Entry => {
      const all = new Map(positions.map((position) => [position.feed, position]))
      all.delete(feeds.get(author)?.id ?? dataFeed)
      return next(author, facts, [...all.values()])
    },
    write: (author: DeviceId, facts: ReadonlyArray<Fact.DecodedFact>, horizon = entries.length): void => {
      const entry = next(author, facts, news(author, horizon))
      feeds.set(author, entry.feed)
      entries.push(entry)
      positions.push({ feed: entry.feed.id, seq: entry.seq, hash: entry.hash })
      latest.set(author, entry)
    }
  }
}

/** A space as its entries, and what may be added to it. */
export interface Space {
  readonly entries: ReadonlyArray<Entry>
  /** The founder puts out a device, and what that wrote in the second half of its feed falls. */
  readonly revocations: Readonly<Record<"trunk" | "leaf" | "trunkByRoot", Entry>>
}

export const spaceOf = (acts: ReadonlyArray<Act>, naming: Naming = "last"): Space => {
  const { entries, next, write } = writer(naming)
  for (const { admits, author, gives, horizon } of acts) {
    const facts: Array<Fact.DecodedFact> = []
    if (admits !== undefined) facts.push(admit(devices[admits]!))
    if (gives !== undefined) facts.push(grant(devices[gives.to]!, gives.capability, gives.depth))
    write(devices[author]!, facts.length === 0 ? create : facts, horizon)
  }
  const revocationOf = (number: number, author: DeviceId): Entry => {
    const device = devices[number]!
    const admission = entries.find(({ facts }) => facts.some((one) => one._tag === "Admit" && one.device === device))!
    const own = entries.filter(({ feed }) => feed.device === device)
    const last = own[(own.length - 1) >> 1]
    const cut = last === undefined ? [] : [{ feed: last.feed.id, seq: last.seq, hash: last.hash }]
    return next(author, [{ _tag: "Revoke", device, admission: admission.hash, cut, reason: "" }])
  }
  return {
    entries,
    revocations: {
      trunk: revocationOf(trunk, devices[0]!),
      leaf: revocationOf(leaf, devices[0]!),
      trunkByRoot: revocationOf(trunk, root)
    }
  }
}

/** What is known once all of these entries came in at once. */
export const build = (entries: ReadonlyArray<Entry>): Known => Authority.extend(Authority.make(genesis), entries)

/** The same when they come in as the runtime takes them: one by one. */
export const buildOneByOne = (entries: ReadonlyArray<Entry>): Known =>
  entries.reduce((known, entry) => Authority.extend(known, [entry]), Authority.make(genesis))

export const extend = (known: Known, entry: Entry): Known => Authority.extend(known, [entry])

/** Later than every entry. */
const now = 1_000_000

const isNotFresh = (): boolean => false

const requestOf = (device: DeviceId, type: string, id: string): Decision.Request => ({
  device,
  time: now,
  definition,
  type,
  changes: [["set", type === "task.rename" ? "tasks" : "notes", id, "milk"]],
  fresh: isNotFresh
})

const asked = devices.map((device, number) => requestOf(device, "task.rename", `t${number}`))

/** Whether a device may rename a task now, by the newest view: its membership, what ends it, its rights, the change. */
export const mayRename = (known: Known, number: number): boolean => isAllowed(known, asked[number]!)

/** How many of all devices may. Every engine has to find so many; the laws in test/trust are what it is right by. */
const renamers = { before: 565, leaf: 565, trunk: 559, trunkByRoot: 559 } as const

/** Decides about all devices; dies when they are not as many as there should be. */
export const expectRenamers = (known: Known, when: keyof typeof renamers): void => {
  let count = 0
  for (let number = 0; number < devicesCount; number++) if (mayRename(known, number)) count++
  if (count !== renamers[when]) throw new Error(`${count} devices may rename tasks, not ${renamers[when]}`)
}

const isAllowed = (known: Known, request: Decision.Request, standing?: Decision.Standing): boolean => {
  const view = Authority.present(known)
  return (
    Authority.isAdmitted(known, view, request.device) &&
    Authority.revocationOn(known, request.device, dataFeed, 0) === undefined &&
    Decision.decide(known, view, request, standing)._tag === "Allowed"
  )
}

/** Whether a device is put out by these books. */
export const isEnded = ({ authority }: Ledger, device: DeviceId): boolean =>
  authority !== undefined && Authority.isRevoked(authority, device)

/** Puts out a device after the last entry of each of its feeds that these books hold. */
export const ending = ({ authority, lines }: Ledger, device: DeviceId): JournalEntry.Fact => {
  const admission = authority === undefined ? undefined : Authority.admissionOf(authority, device)
  if (admission === undefined) throw new Error("who is to be put out was never admitted")
  const cut = [...lines.values()]
    .filter(({ feed, judged }) => feed.device === device && judged > 0)
    .map(({ feed, judged, judgedHash }) => ({ feed: feed.id, seq: judged - 1, hash: judgedHash }))
  return Fact.encode({ _tag: "Revoke", device, admission: admission.hash, cut, reason: "the bench is done with it" })
}

/** How many different requests are asked in turn, so that none is the one just asked. */
const requestsCount = 64

/**
 * A space in which a device holds rights through three delegations, each less than the one before: all tasks, to be
 * passed on twice; what is on one list, to be passed on once; the same for a time. The rights to notes have no window,
 * so that what stands may be found once.
 */
const chainTo = (last: DeviceId): Known => {
  const [founder, first, second] = [devices[0]!, devices[1]!, devices[2]!]
  const { entries, write } = writer()
  write(founder, create)
  write(founder, [admit(first), admit(second), admit(last)])
  write(founder, [grant(first, "task:write", 2), grant(first, "note:write", 2)])
  write(first, [grant(second, "task:write/tasks/*", 1), grant(second, "note:write", 1)])
  write(second, [grant(last, "task:write/tasks/*", 0, 2 * now), grant(last, "note:write", 0)])
  return build(entries)
}

type Type = "task.rename" | "note.write"

/** Decides about one request after the other, forever; all are allowed. */
export const decider = (type: Type, options: { readonly standing: boolean }): (() => void) => {
  const device = devices[3]!
  const known = chainTo(device)
  const requests = Array.from({ length: requestsCount }, (_, number) => requestOf(device, type, `t${number}`))
  const standing = options.standing ? Decision.standing(known, Authority.present(known), device) : undefined
  let next = 0
  return () => {
    const request = requests[next++ % requestsCount]!
    if (!isAllowed(known, request, standing)) throw new Error(`${type} was denied`)
  }
}

/**
 * The same from the bytes of runs of one entry: run decoded, chain hashed, its one signature verified by the handler of
 * production, entry decoded, decided. The device's key is ready, as it is from its second run on.
 */
export const receiver = (type: Type): (() => void) => {
  const keys = MemoryKeys.make({ seed: new Uint8Array(32).fill(7) })
  const known = chainTo(keys.device)
  const verifier = Effect.runSync(
    Effect.provide(
      Effect.map(Verifier, (found) => found),
      NodeVerifier.layer
    )
  )
  const runs = Array.from({ length: requestsCount }, (_, number) =>
    runOf(keys, feedId(bytesOf(6, number)), requestOf(keys.device, type, `t${number}`))
  )
  let next = 0
  return () => {
    const run = Result.getOrThrow(Run.decode(runs[next++ % requestsCount]!))
    const [isSigned] = Effect.runSync(verifier.verify([Run.claim(run, keys.device)]))
    const body = Result.getOrThrow(JournalEntry.decode(run.bodies[0]!))
    const { payload, type } = body.facts[0]!
    const request = { device: keys.device, time: run.times[0]!, definition, type, changes: payload, fresh: isNotFresh }
    if (isSigned !== true || !isAllowed(known, request)) throw new Error(`${type} was denied`)
  }
}

const runOf = (keys: Keys["Service"], feed: FeedId, { changes, time, type }: Decision.Request): Uint8Array => {
  const body = JournalEntry.encode({
    keyEpoch: undefined,
    definition: definition.id,
    seen: [],
    facts: [{ type, payload: changes }],
    request: undefined
  })
  const unsigned = { feed, first: 0, previous: entryHash(toBytes(feed)), times: [time], bodies: [body] }
  return Run.encode(unsigned, Effect.runSync(keys.sign(Run.message(feed, 0, Run.hashes(unsigned)[0]!))))
}
