/**
 * Mallory: a member with an honest key that says whatever helps, to each of the others something else.
 *
 * It holds the rights of a writer, and in some stories may revoke. Its lies, all well signed:
 *
 *   two histories    one data feed with two branches, shown to different members
 *   two verdicts     one authority feed with two branches, each of which revokes somebody else: true where it may revoke
 *   a grant          to itself, of everything, and a setting written on the strength of it
 *   a friend         admits a stranger, who writes
 *   a revocation     of the founder, without the right to revoke
 *   the future       an entry minutes ahead
 *   noise            frames that are no messages, runs that end in mid-air
 *
 * What must hold: nobody counts more of its data than the entry that both histories share, nobody gains a right, nobody
 * loses one but whom it may revoke, and those who were told different things agree in the end.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Keys } from "../effects/Keys.ts"
import type { Connection, Network } from "../effects/Network.ts"
import { entryHash, type DeviceId, type EntryHash, type SpaceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import * as Entry from "../journal/Entry.ts"
import * as Feed from "../journal/Feed.ts"
import * as Run from "../journal/Run.ts"
import * as Message from "../sync/Message.ts"
import { all } from "../trust/Capability.ts"
import * as Fact from "../trust/Fact.ts"
import * as Right from "../trust/Right.ts"
import type { Chance } from "./Chance.ts"
import * as Notebook from "./Notebook.ts"

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
}

export interface Self {
  readonly keys: Keys["Service"]
  readonly network: Network["Service"]
}

/** A run with the header of its feed, as it goes to a peer. */
interface Lie {
  readonly header: Uint8Array
  readonly run: Uint8Array
}

/** For each of two audiences what it is told. */
type Lies = readonly [ReadonlyArray<Lie>, ReadonlyArray<Lie>]

/** Lies to everyone at these addresses for so long, then once more to each, so that nothing stays unsaid. */
export const lie = Effect.fnUntraced(function* (
  self: Self,
  stranger: Keys["Service"],
  knowledge: Knowledge,
  addresses: ReadonlyArray<string>,
  chance: Chance,
  isOver: Effect.Effect<boolean>
): Effect.fn.Return<void, unknown, Scope.Scope> {
  const lies = yield* invent(self.keys, stranger, knowledge, chance)
  const liars = yield* Effect.forEach(addresses, (address, index) =>
    Effect.forkScoped(
      Effect.gen(function* () {
        for (let isLast = false; !isLast;) {
          isLast = yield* isOver
          const told = chance.shuffle(lies[index % 2]!)
          yield* Effect.ignore(
            Effect.scoped(tell(self, knowledge.space, address, [...lies[index % 2]!, ...told], chance))
          )
          yield* Effect.sleep(chance.between(200, 4_000))
        }
      })
    )
  )
  yield* Fiber.joinAll(liars)
})

/** Tells one peer everything over one connection, and listens for a while, as an honest device would. */
const tell = Effect.fnUntraced(function* (
  { network }: Self,
  space: SpaceId,
  address: string,
  lies: ReadonlyArray<Lie>,
  chance: Chance
) {
  const connection = yield* network.connect(address)
  const tag = Message.tagOf(connection.channelKey, space)
  const send = (message: Message.Message) => connection.send(Message.encode(message))
  yield* send({ _tag: "Hello", version: Message.version, spaces: [tag] })
  const ears = yield* Effect.forkScoped(Effect.forever(connection.receive))
  for (const { header, run } of lies) yield* send({ _tag: "Run", space: tag, header, run })
  yield* Effect.sleep(chance.between(500, 3_000))
  if (chance.happens(0.3)) yield* noise(connection, chance)
  yield* Fiber.interrupt(ears)
})

const noise = (connection: Connection, chance: Chance): Effect.Effect<void, unknown> =>
  connection.send(chance.bytes(chance.between(0, 40)))

const invent = Effect.fnUntraced(function* (
  keys: Keys["Service"],
  stranger: Keys["Service"],
  knowledge: Knowledge,
  chance: Chance
): Effect.fn.Return<Lies, unknown> {
  const author = { keys, knowledge, nonce: () => chance.bytes(Feed.nonceBytes) }
  const shared = [tagging("shared", knowledge.seen)]
  const branch = (name: string) => [...shared, ...Array.from({ length: chance.between(1, 3) }, () => tagging(name, []))]
  const header = headerOf(author, "data")
  const branches = [
    yield* say(author, header, branch("one"), knowledge.time),
    yield* say(author, header, branch("other"), knowledge.time)
  ]
  const verdicts = headerOf(author, "authority")
  const right = Right.make(all, { depth: 3 })
  const nothing = bodyOf([Fact.encode({ _tag: "Grant", device: stranger.device, rights: [right] })], knowledge.seen)
  const verdict = (index: number) => {
    const victim = knowledge.victims[index % knowledge.victims.length]
    const revocation = victim === undefined ? [] : [Fact.encode({ ...victim, _tag: "Revoke", reason: "a verdict" })]
    return say(author, verdicts, [nothing, ...revocation.map((one) => bodyOf([one], []))], knowledge.time)
  }
  const verdictsTold = [yield* verdict(0), yield* verdict(1)]
  const authority = headerOf(author, "authority")
  const facts: ReadonlyArray<Fact.AuthorityFact> = [
    { _tag: "Grant", device: keys.device, rights: [right] },
    { _tag: "Admit", device: stranger.device, box: stranger.box, name: "Eve" },
    { _tag: "Grant", device: stranger.device, rights: [right] },
    { _tag: "Revoke", device: knowledge.founder, admission: knowledge.founding, cut: [], reason: "a lie" }
  ]
  const claims = yield* say(author, authority, [bodyOf(facts.map(Fact.encode), knowledge.seen)], knowledge.time)
  const claimed = { feed: authority.id, seq: 0, hash: claims.last }
  const seen = [...knowledge.seen, claimed].toSorted((a, b) => (a.feed < b.feed ? -1 : 1))
  const later = knowledge.time + Clock.ticksPerMilli
  const setting = bodyOf([fact("set", [["set", "settings", "a", "taken over"]])], seen)
  const takeover = yield* say(author, headerOf(author, "data"), [setting], later)
  const eve = { ...author, keys: stranger }
  const intrusion = yield* say(eve, headerOf(eve, "data"), [tagging("Eve", seen)], later)
  const future = yield* say(author, headerOf(author, "data"), [tagging("future", knowledge.seen)], later + ahead)
  const both = [claims.lie, takeover.lie, intrusion.lie, future.lie]
  return [
    [branches[0]!.lie, verdictsTold[0]!.lie, ...both],
    [branches[1]!.lie, verdictsTold[1]!.lie, ...both]
  ]
})

/** More of entry time than is allowed, but not more than a world lasts: held, and then judged. */
const ahead = 9 * 60_000 * Clock.ticksPerMilli

interface Author {
  readonly keys: Keys["Service"]
  readonly knowledge: Knowledge
  readonly nonce: () => Uint8Array
}

const headerOf = ({ keys, knowledge, nonce }: Author, kind: Feed.FeedKind): Feed.Feed =>
  Feed.encode({
    space: knowledge.space,
    device: keys.device,
    kind,
    nonce: nonce(),
    time: knowledge.time,
    closes: undefined,
    key: undefined
  })

/** One signed run from the beginning of a feed. */
const say = Effect.fnUntraced(function* (
  { keys }: Author,
  feed: Feed.Feed,
  bodies: ReadonlyArray<Uint8Array>,
  time: number
): Effect.fn.Return<{ readonly lie: Lie; readonly last: EntryHash }, unknown> {
  const times = bodies.map((_, index) => time + 1 + index)
  const unsigned = { feed: feed.id, first: 0, previous: entryHash(Feed.origin(feed)), times, bodies }
  const last = Run.hashes(unsigned).at(-1)!
  const signature = yield* keys.sign(Run.message(feed.id, bodies.length - 1, last))
  return { lie: { header: feed.bytes, run: Run.encode(unsigned, signature) }, last: entryHash(last) }
})

const fact = (operation: string, changes: ReadonlyArray<ReadonlyArray<string>>): Entry.Fact => ({
  type: `${Notebook.app.name}.${operation}`,
  payload: changes
})

const tagging = (tag: string, seen: ReadonlyArray<Feed.Position>): Uint8Array =>
  bodyOf([fact("tag", [["add", "tags", tag]])], seen)

const bodyOf = (facts: ReadonlyArray<Entry.Fact>, seen: ReadonlyArray<Feed.Position>): Uint8Array => {
  const isAuthority = facts.some(({ type }) => type.startsWith(Fact.authorityPrefix))
  const definition = isAuthority ? undefined : Notebook.app.definition.id
  return Entry.encode({ keyEpoch: undefined, definition, seen, facts, request: undefined })
}
