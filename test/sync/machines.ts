/**
 * Two devices that sync in memory, one step at a time: the machine under test on either end, stores that are arrays of
 * runs, and a wire whose deliveries, like all other work, wait until the test lets them happen.
 *
 * Runs are stand-ins: their bytes say which entries they hold, of which branch. A device takes what continues its feed,
 * as runtime/Intake.ts does, and keeps another history as a branch (at most one of a feed), named by what it is of; what it may read and whom it knows is decided by how far it has the authority feed.
 */
import { assert } from "@effect/vitest"
import { feedId, type FeedId } from "../../src/identity/Id.ts"
import type { FeedKind } from "../../src/journal/Feed.ts"
import type * as Frontier from "../../src/journal/Frontier.ts"
import { windowBytes } from "../../src/sync/limits.ts"
import * as Message from "../../src/sync/Message.ts"
import * as Session from "../../src/sync/Session.ts"
import { accepted, bytesOf, hexOf, space } from "../journal/writing.ts"

export const channelKey = bytesOf("channel key")
export const tag = Message.tagOf(channelKey, space)

export const feedNamed = (name: string): FeedId => {
  const id = ids.get(name) ?? feedId(bytesOf(`feed ${name}`))
  ids.set(name, id)
  return id
}

const ids = new Map<string, FeedId>()

/** Entries `first` to `last` of a feed. From `forkAt` on they are those of `branch`. */
export interface Stretch {
  readonly feed: string
  readonly kind: FeedKind
  readonly first: number
  readonly last: number
  readonly branch: string
  readonly forkAt: number
}

const markAt = ({ feed, branch, forkAt }: Stretch, seq: number): string => {
  const what = `${feed} ${seq} ${seq >= forkAt ? branch : ""}`
  const known = marks.get(what) ?? hexOf(bytesOf(what)).slice(0, 32)
  marks.set(what, known)
  return known
}

const marks = new Map<string, string>()

const pack = (stretch: Stretch, size: number): Uint8Array => {
  const text = new TextEncoder().encode(JSON.stringify(stretch))
  const bytes = new Uint8Array(Math.max(size, text.length))
  bytes.set(text)
  return bytes
}

const unpack = (bytes: Uint8Array): Stretch => {
  const end = bytes.indexOf(0)
  return JSON.parse(new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))) as Stretch
}

interface Stored {
  readonly stretch: Stretch
  readonly bytes: Uint8Array
}

export interface Rules {
  /** How far (in entries) the authority feed must be here before the peer may read. */
  readonly peerReadsFrom?: number
  /** How far it must be before a data feed is taken. */
  readonly takesFrom?: Readonly<Record<string, number>>
  readonly upTo?: Frontier.Frontier
}

export class Machine {
  readonly name: string
  readonly rules: Rules
  readonly feeds = new Map<string, Array<Stored>>()
  /** Where the feeds with two histories part. */
  readonly forks = new Map<string, number>()
  readonly sent: Array<Message.Message> = []
  readonly outgoing: Array<Message.Message> = []
  readonly loads: Array<Session.Ask & { readonly _tag: "Load" }> = []
  readonly takes: Array<Session.Ask & { readonly _tag: "Take" }> = []
  readonly outcomes: Array<string> = []
  loadsDone = 0
  inFlight = 0
  session: Session.Session = Session.close("not open")

  constructor(name: string, rules: Rules = {}) {
    this.name = name
    this.rules = rules
  }

  /** How many entries of a feed are here. */
  taken(feed: string): number {
    return (this.feeds.get(feed)?.at(-1)?.stretch.last ?? -1) + 1
  }

  /** Writes the next `count` entries of a feed as one run of `size` bytes. */
  write(
    feed: string,
    count: number,
    options: { kind?: FeedKind; size?: number; branch?: string; forkAt?: number } = {}
  ): void {
    const { kind = "data", size = 0, branch = "", forkAt = Number.MAX_SAFE_INTEGER } = options
    const first = this.taken(feed)
    this.keep({ feed, kind, first, last: first + count - 1, branch, forkAt }, size)
  }

  private keep(stretch: Stretch, size: number): void {
    const runs = this.feeds.get(stretch.feed) ?? []
    runs.push({ stretch, bytes: pack(stretch, size) })
    this.feeds.set(stretch.feed, runs)
  }

  mayRead(): boolean {
    return this.taken("root") >= (this.rules.peerReadsFrom ?? 0)
  }

  isTaken(feed: string): boolean {
    return this.taken("root") >= (this.rules.takesFrom?.[feed] ?? 0)
  }

  frontier(): ReadonlyMap<FeedId, Session.Local> {
    const heads = new Map<FeedId, Session.Local>()
    for (const runs of this.feeds.values()) {
      const { stretch } = runs.at(-1)!
      for (const { id, seq, to } of this.parts(stretch))
        heads.set(id, { kind: stretch.kind, head: { seq, mark: markAt(stretch, to) } })
    }
    return heads
  }

  /** By which names a history is known that ends in this stretch; `seq` is counted from where the name begins. */
  private parts({ branch, feed, last }: Stretch): ReadonlyArray<{ id: FeedId; from: number; seq: number; to: number }> {
    const at = this.forks.get(feed)
    if (at === undefined) return [{ id: feedNamed(feed), from: 0, seq: last, to: last }]
    const shared = Math.min(last, at - 1)
    return [
      { id: feedNamed(feed), from: 0, seq: shared, to: shared },
      { id: feedNamed(`${feed}/${branch}`), from: at, seq: last - at, to: last }
    ].filter(({ seq }) => seq >= 0)
  }

  /** What two devices that agree have in common: heads by feed, sorted. */
  heads(): ReadonlyArray<string> {
    return [...this.frontier()].map(([feed, { head }]) => `${feed.slice(0, 8)} ${head.seq} ${head.mark}`).sort()
  }

  share(): Session.Share {
    return { space, mayRead: this.mayRead(), feeds: this.frontier(), upTo: this.rules.upTo }
  }

  open(): void {
    this.step(Session.open(channelKey, [this.share()]))
  }

  /** Tells the machine that the space changed here. */
  changed(): void {
    this.step(Session.shared(this.session, this.share()))
  }

  receive(message: Message.Message): void {
    if (message._tag === "Credit") this.inFlight -= message.bytes
    const small = message._tag !== "Run" || message.run.length < 10_000
    this.step(Session.receive(this.session, small ? accepted(Message.decode(Message.encode(message))) : message))
  }

  step({ session, asks }: Session.Step): void {
    this.session = session
    for (const ask of asks) {
      switch (ask._tag) {
        case "Send":
          this.send(ask.message)
          break
        case "Load":
          this.loads.push(ask)
          break
        case "Take":
          this.takes.push(ask)
          break
        case "Acknowledged":
          break
      }
    }
  }

  private send(message: Message.Message): void {
    if ("space" in message) assert.isTrue(this.mayRead(), `${this.name} told a stranger: ${message._tag}`)
    if (message._tag === "Run") {
      this.inFlight += message.run.length
      assert.isAtMost(this.inFlight, windowBytes)
    }
    this.sent.push(message)
    this.outgoing.push(message)
  }

  /** Answers the oldest load as a store does: whole runs, at least one if there is one. */
  answerLoad(): void {
    const ask = this.loads.shift()!
    this.loadsDone++
    const found = [...this.feeds.values()].flatMap((runs) =>
      this.parts(runs.at(-1)!.stretch).flatMap((part) => (part.id === ask.feed ? [{ part, runs }] : []))
    )
    const answer: Array<Session.Loaded> = []
    let bytes = 0
    // all histories hold what they share: the first one tells it
    for (const { stretch, bytes: run } of found[0]?.runs ?? []) {
      const { from, to } = found[0]!.part
      if (stretch.last < from + ask.from || stretch.first > to) continue
      if (bytes > 0 && bytes >= ask.bytesMax) break
      answer.push({
        first: stretch.first - from,
        last: stretch.last - from,
        mark: markAt(stretch, stretch.last),
        header: bytesOf(`header ${stretch.feed}`),
        isBranch: this.forks.has(stretch.feed) && from === this.forks.get(stretch.feed),
        covers: this.parts(stretch)
          .filter(({ id }) => id !== ask.feed)
          .map(({ id, seq }) => [id, { seq }]),
        bytes: run
      })
      bytes += run.length
    }
    this.step(Session.loaded(this.session, space, ask.feed, answer))
  }

  /** Deals with the oldest run that came. */
  settleTake(): void {
    const take = this.takes.shift()!
    const stretch = unpack(take.run)
    const id = feedNamed(stretch.feed)
    const outcome = this.fit(stretch, take.run.length, take.header)
    this.outcomes.push(`${outcome} ${stretch.feed} ${stretch.first}`)
    if (outcome === "Unwanted") this.session = Session.missed(this.session, space, id, take.header)
    else if (outcome === "Stored" || outcome === "Known") {
      const { id: name, seq, to } = this.parts(stretch).at(-1)!
      this.session = Session.learned(this.session, space, name, { seq, mark: markAt(stretch, to) })
    } else this.step(Session.rewind(this.session, space, id, Number(outcome.slice(9))))
    this.step(Session.dealt(this.session, space, take.run.length))
    this.changed()
    this.step(Session.acknowledge(this.session, space))
    this.retry()
  }

  /** Asks for what was turned away and would be taken now. */
  retry(): void {
    const isWanted = (feed: FeedId): boolean => {
      const name = Object.keys(this.rules.takesFrom ?? {}).find((one) => feedNamed(one) === feed)
      return name === undefined || this.isTaken(name)
    }
    this.step(Session.retry(this.session, space, isWanted))
  }

  fit(stretch: Stretch, size: number, header: Uint8Array | undefined): string {
    const { feed, first, last } = stretch
    const taken = this.taken(feed)
    if (taken === 0 && header === undefined) return "Detached 0"
    if (!this.isTaken(feed)) return "Unwanted"
    if (this.feeds.has(`${feed}/${stretch.branch}`)) return this.fitOther(stretch, size)
    if (first > taken) return `Detached ${taken}`
    const own = this.feeds.get(feed)?.at(-1)?.stretch ?? stretch
    const meet = Math.min(last, taken - 1)
    if (taken > 0 && markAt(own, meet) !== markAt(stretch, meet)) return this.fitOther(stretch, size)
    if (last < taken) return "Known"
    this.keep({ ...stretch, first: taken }, size)
    return "Stored"
  }

  /** How a run of another history fits than that which came first. */
  private fitOther(stretch: Stretch, size: number): string {
    const { branch, feed, first, forkAt, last } = stretch
    const name = `${feed}/${branch}`
    const known = this.feeds.get(name) ?? []
    const taken = known.length === 0 ? forkAt : known.at(-1)!.stretch.last + 1
    if (first > taken) return `Detached ${known.length === 0 ? Math.max(0, first - 1) : taken}`
    if (last < taken) return "Known"
    this.forks.set(feed, forkAt)
    const rest = { ...stretch, first: taken }
    this.feeds.set(name, [...known, { stretch: rest, bytes: pack(rest, size) }])
    return "Stored"
  }
}

/** Everything that could happen next at one of the two, or on the wire between them. */
const enabled = (a: Machine, b: Machine): ReadonlyArray<() => void> => {
  const moves: Array<() => void> = []
  for (const [from, to] of [
    [a, b],
    [b, a]
  ] as const) {
    if (from.outgoing.length > 0) moves.push(() => to.receive(from.outgoing.shift()!))
    if (from.loads.length > 0) moves.push(() => from.answerLoad())
    if (from.takes.length > 0) moves.push(() => from.settleTake())
  }
  return moves
}

/** Lets everything happen, in the order that `choose` picks, until nothing is left. Returns the number of moves. */
export const settle = (a: Machine, b: Machine, choose: (count: number) => number = () => 0): number => {
  for (let moves = 0; moves < 20_000; moves++) {
    const next = enabled(a, b)
    if (next.length === 0) return moves
    next[choose(next.length)]!()
  }
  throw new Error("they never come to rest")
}

/** Opens both ends of a connection. */
export const connect = (a: Machine, b: Machine): void => {
  a.open()
  b.open()
}
