/**
 * How a liar speaks: feeds it begins and continues where it likes, at whatever times, naming whatever it says it saw.
 *
 * Everything is well signed and well formed. A *thread* is a feed as far as it was said; it is a value, so that two
 * continuations of one thread are two histories. A *saying* is a run of it with whom it is told to, by whom, and when.
 */
import * as Effect from "effect/Effect"
import type { Keys } from "../../effects/Keys.ts"
import { entryHash, type DeviceId, type EntryHash, type SpaceId } from "../../identity/Id.ts"
import * as Clock from "../../journal/Clock.ts"
import * as Entry from "../../journal/Entry.ts"
import * as Feed from "../../journal/Feed.ts"
import * as Run from "../../journal/Run.ts"
import { capability } from "../../trust/Capability.ts"
import * as Fact from "../../trust/Fact.ts"
import * as Policy from "../../trust/Policy.ts"
import * as Right from "../../trust/Right.ts"
import type { Chance } from "../Chance.ts"
import * as Notebook from "../Notebook.ts"

/** What the liar knew when it was last honest. */
export interface Knowledge {
  readonly space: SpaceId
  readonly seen: ReadonlyArray<Feed.Position>
  /** A time above that of everything in `seen`. */
  readonly time: number
  readonly founder: DeviceId
  readonly founding: EntryHash
  /** Others, and what a revocation of each has to name to leave alone what they have said. */
  readonly victims: ReadonlyArray<Pick<Fact.Revoke, "device" | "admission" | "cut">>
  /** What was granted to anybody, and by which entry. */
  readonly grants: ReadonlyArray<{ readonly device: DeviceId; readonly entry: EntryHash }>
  readonly restrictions: ReadonlyArray<{ readonly entry: EntryHash; readonly index: number }>
  /** When a right of the liar's ends, if one does. */
  readonly until: number | undefined
}

/** A run with the header of its feed, as it goes to a peer. */
export interface Lie {
  readonly header: Uint8Array
  readonly run: Uint8Array
}

export type Speaker = "Mallory" | "Eve"

export interface Saying {
  readonly lie: Lie
  readonly by: Speaker
  /** Listeners, by number; undefined: everybody. */
  readonly to: ReadonlyArray<number> | undefined
  /** Not before so long after the lying began. */
  readonly fromMillis: number
}

/** Who lies, together, and what about. */
export interface Den {
  readonly knowledge: Knowledge
  readonly chance: Chance
  readonly mallory: Keys["Service"]
  readonly eve: Keys["Service"]
  /** Devices that somebody in the den made up. */
  readonly puppets: ReadonlyArray<Keys["Service"]>
  readonly listeners: number
  /** When somebody honest means to put Mallory out. */
  readonly expulsionMillis: number
}

/** A feed as far as it was said. */
export interface Thread {
  readonly keys: Keys["Service"]
  readonly feed: Feed.Feed
  readonly seq: number
  readonly hash: EntryHash
  readonly time: number
  /** Its last run. */
  readonly lie: Lie
}

/** An entry to be: its facts, what it says that its author had seen, and its time. */
export interface Line {
  readonly facts: ReadonlyArray<Entry.Fact>
  readonly seen: ReadonlyArray<Feed.Position>
  readonly time: number
}

/** The entry time so long after the liar was last honest. */
export const timeAt = ({ knowledge }: Den, millis: number): number =>
  knowledge.time + Math.floor(millis) * Clock.ticksPerMilli

/** A feed of which nothing was said. */
export const thread = (den: Den, keys: Keys["Service"], kind: Feed.FeedKind, time = den.knowledge.time): Thread => {
  const feed = Feed.encode({
    space: den.knowledge.space,
    device: keys.device,
    kind,
    nonce: den.chance.bytes(Feed.nonceBytes),
    time,
    closes: undefined,
    key: undefined
  })
  const nothing = { header: feed.bytes, run: new Uint8Array() }
  return { keys, feed, seq: -1, hash: entryHash(Feed.origin(feed)), time, lie: nothing }
}

/** One signed run behind what was said. Times rise whatever they are asked to be. */
export const say = Effect.fnUntraced(function* (
  thread: Thread,
  lines: ReadonlyArray<Line>
): Effect.fn.Return<Thread, unknown> {
  const times: Array<number> = []
  for (const { time } of lines) times.push(Math.max(time, (times.at(-1) ?? thread.time) + 1))
  const { feed } = thread
  const first = thread.seq + 1
  const unsigned = { feed: feed.id, first, previous: thread.hash, times, bodies: lines.map(bodyOf) }
  const last = Run.hashes(unsigned).at(-1)!
  const seq = thread.seq + lines.length
  const signature = yield* thread.keys.sign(Run.message(feed.id, seq, last))
  const lie = { header: feed.bytes, run: Run.encode(unsigned, signature) }
  return { ...thread, seq, hash: entryHash(last), time: times.at(-1)!, lie }
})

/** Where a thread ends, to be named as seen. */
export const end = ({ feed, hash, seq }: Thread): Feed.Position => ({ feed: feed.id, seq, hash })

/** What was seen, and the ends of these threads. */
export const having = (
  seen: ReadonlyArray<Feed.Position>,
  ...threads: ReadonlyArray<Thread>
): ReadonlyArray<Feed.Position> =>
  [...seen.filter(({ feed }) => threads.every((one) => one.feed.id !== feed)), ...threads.map(end)].toSorted((a, b) =>
    a.feed < b.feed ? -1 : 1
  )

/** Told to everybody, from the beginning, by who lies most. */
export const toAll = ({ lie }: Thread, how: Partial<Omit<Saying, "lie">> = {}): Saying => ({
  lie,
  by: "Mallory",
  to: undefined,
  fromMillis: 0,
  ...how
})

export const right = (
  text: string,
  depth: number,
  window: Partial<Pick<Fact.Right, "from" | "until">> = {}
): Fact.Right => Right.make(capability(text), { depth, ...window })

export const grant = (device: DeviceId, ...rights: ReadonlyArray<Fact.Right>): Entry.Fact =>
  Fact.encode({ _tag: "Grant", device, rights })

export const admit = ({ box, device }: Keys["Service"], name: string): Entry.Fact =>
  Fact.encode({ _tag: "Admit", device, box, name })

export const revoke = (victim: Knowledge["victims"][number], reason: string): Entry.Fact =>
  Fact.encode({ ...victim, _tag: "Revoke", reason })

/** What an operation of the application shall demand from now on. */
export const policy = (operation: Notebook.Name, needed: string, reason: string): Fact.SetPolicy => ({
  _tag: "SetPolicy",
  app: Notebook.app.name,
  operation: `${Notebook.app.name}.${operation}`,
  policy: Policy.make({ capabilities: [needed] }),
  cut: [],
  reason
})

export const tag = (tag: string): Entry.Fact => fact("tag", ["add", "tags", tag])

export const setting = (value: string): Entry.Fact => fact("set", ["set", "settings", "a", value])

const fact = (operation: string, change: ReadonlyArray<string>): Entry.Fact => ({
  type: `${Notebook.app.name}.${operation}`,
  payload: [change]
})

const bodyOf = ({ facts, seen }: Line): Uint8Array => {
  const isAuthority = facts.some(({ type }) => type.startsWith(Fact.authorityPrefix))
  const definition = isAuthority ? undefined : Notebook.app.definition.id
  return Entry.encode({ keyEpoch: undefined, definition, seen, facts, request: undefined })
}
