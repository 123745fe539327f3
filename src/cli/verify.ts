/**
 * `aura journal verify`: reads every stored run of every space back and checks header, chain and signature again, as if
 * a stranger had brought it.
 *
 * It needs no agent, so it also works where a space no longer opens. Forks are a peer's misbehaviour and no damage: they
 * are told as notes. It changes nothing, except that a checkpoint which does not follow from the entries is removed, for
 * that is a cache. Exit code 1 when something stored is not what was written, with the way on.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { StoredFeed } from "../effects/JournalStore.ts"
import type { Claim } from "../effects/Verifier.ts"
import * as Bytes from "../identity/Bytes.ts"
import { entryHash, type EntryHash, short, type SpaceId } from "../identity/Id.ts"
import * as Branch from "../journal/Branch.ts"
import * as Feed from "../journal/Feed.ts"
import * as State from "../journal/crdt/State.ts"
import * as Run from "../journal/Run.ts"
import { requestClaims } from "../runtime/Arrivals.ts"
import * as Checkpoint from "../runtime/Checkpoint.ts"
import { fold } from "../runtime/Fold.ts"
import type * as Sealed from "../runtime/Sealed.ts"
import * as Token from "../runtime/Token.ts"
import type { Voice } from "./Control.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"
import { count } from "./Text.ts"

const readBytes = 1024 * 1024

/** Progress is told this often, in entries. */
const progressEntries = 100_000

interface Damage {
  readonly space: SpaceId
  readonly feed: string
  readonly device: string
  readonly isOwn: boolean
  /** The first entry that can't be used; those before it are good. */
  readonly seq: number
  readonly what: string
}

interface Tally {
  feeds: number
  runs: number
  entries: number
  /** Of authority feeds that have more than one history. */
  branches: number
  /** Entries that root sealed and this device dropped. */
  dropped: number
  readonly damage: Array<Damage>
}

export const answer = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const tally: Tally = { feeds: 0, runs: 0, entries: 0, branches: 0, dropped: 0, damage: [] }
  const spaces = yield* office.store.spaces
  for (const space of spaces) {
    const feeds = yield* office.store.feeds(space)
    const sealed = feeds.some(({ first }) => first > 0) ? yield* sealedBy(office, space) : undefined
    for (const stored of feeds) yield* checkFeed(office, voice, space, stored, sealed, tally)
  }
  const { damage, dropped, entries, feeds, runs } = tally
  if (damage.length > 0) {
    const opened = yield* Effect.forEach(spaces, (space) =>
      Effect.exit(fold(office.store, space, office.time.now().millis, "whole"))
    )
    return yield* damaged(office, damage, entries, opened.every(Exit.isSuccess))
  }
  for (const space of spaces) yield* checkCheckpoint(office, voice, space)
  yield* voice.data({ spaces: spaces.length, feeds, runs, entries, dropped, forks: tally.branches })
})

const checkFeed = Effect.fnUntraced(function* (
  office: Office,
  voice: Voice,
  space: SpaceId,
  stored: StoredFeed,
  sealed: Sealed.Sealed | undefined,
  tally: Tally
) {
  tally.feeds++
  const named = Branch.decodeNamed(stored.header)
  const note = (seq: number, what: string): void => {
    const device = Result.isSuccess(named) ? named.success.feed.device : ""
    tally.damage.push({ space, feed: stored.feed, device, isOwn: device === office.keys.device, seq, what })
  }
  if (Result.isFailure(named)) return note(0, named.failure.what)
  const { branch, feed } = named.success
  if (Branch.idOf(named.success) !== stored.feed || feed.space !== space)
    return note(0, "its header is that of another feed")
  if (feed.key !== undefined && !(yield* holds(office, [Feed.keyClaim(feed, feed.key)])))
    return note(0, "its key is not signed by its device")
  const start = branch?.at ?? 0
  const end = stored.first === 0 ? undefined : sealed?.ends.get(feed.id)
  if (stored.first > 0 && (end === undefined || stored.first > end.seq + 1))
    return note(0, `its first ${stored.first} entries were dropped, and the sealed books they are in are not here`)
  tally.dropped += stored.first
  let next = start + stored.first
  let hash =
    end === undefined ? (branch?.previous ?? entryHash(Feed.origin(feed))) : end.seq + 1 === next ? end.hash : undefined
  let bytesMax = readBytes
  while (next < start + stored.entries) {
    const read = yield* Effect.result(office.store.read(space, stored.feed, next - start, bytesMax))
    if (Result.isFailure(read)) {
      if (bytesMax === 1) return note(next, read.failure.message.replace(/; run "aura journal verify"$/u, ""))
      // from here on run by run, so that the first bad one is found
      bytesMax = 1
      continue
    }
    if (read.success.length === 0) return note(next, `ends here, ${stored.entries} entries were stored`)
    for (const { bytes } of read.success) {
      const run = Run.decode(bytes)
      if (Result.isFailure(run)) return note(next, run.failure.what)
      const wrong = misplaced(run.success, { feed, branch, next, hash, end })
      if (wrong !== undefined) return note(...wrong)
      if (!(yield* holds(office, [Run.claim(run.success, Feed.signer(feed)), ...requestClaims(feed, run.success)])))
        return note(next, "the signature over it is not its device's")
      const before = Math.floor(tally.entries / progressEntries)
      tally.runs++
      tally.entries += run.success.times.length
      if (Math.floor(tally.entries / progressEntries) > before)
        yield* voice.note(`${tally.entries} entries are good so far`)
      next = Run.lastSeq(run.success) + 1
      hash = Run.lastHash(run.success)
    }
  }
  if ((hash ?? end?.hash) !== stored.hash)
    note(Math.max(start, next - 1), "its end is not the one that was written down")
  if (branch === undefined) return
  tally.branches++
  yield* voice.note(
    `device ${short(feed.device)} signed two histories of feed ${short(feed.id)} from entry ${branch.at} on; ${feed.kind === "authority" ? "the revocations on each stand, nothing else does" : "the feed is frozen there"}, but for what was settled on`
  )
})

interface Expected {
  readonly feed: Feed.Feed
  readonly branch: Branch.Branch | undefined
  readonly next: number
  /** Undefined: what comes before was dropped. */
  readonly hash: EntryHash | undefined
  /** The last entry of it that root sealed. */
  readonly end: Feed.Position | undefined
}

/** What is wrong with a run that is read next, and from which entry on. */
const misplaced = (
  run: Run.Run,
  { branch, end, feed, hash, next }: Expected
): readonly [number, string] | undefined => {
  if (run.feed !== feed.id || run.first !== next || run.previous !== (hash ?? run.previous))
    return [next, "does not continue what is before it"]
  const covered = end && run.hashes[end.seq - run.first]
  if (end !== undefined && covered !== undefined && entryHash(covered) !== end.hash)
    return [end.seq, "is another history than the one that root sealed"]
  return branch !== undefined && next === branch.at && entryHash(run.hashes[0]!) !== branch.first
    ? [next, "is not what its branch begins with"]
    : undefined
}

/** The sealed books that a space stands on, if they are root's. */
const sealedBy = ({ store, time }: Office, space: SpaceId) =>
  Effect.map(fold(store, space, time.now().millis, "whole"), ({ ledger }) => ledger.sealed)

/** What is taken up from a checkpoint must be what follows from the entries: if not, the checkpoint goes. */
const checkCheckpoint = Effect.fnUntraced(function* ({ secrets, store, time }: Office, voice: Voice, space: SpaceId) {
  const row = yield* store.local(space, Checkpoint.checkpointRow)
  if (Option.isNone(row)) return
  const secret = yield* Token.read(secrets, space)
  const isSealed =
    secret !== undefined && Checkpoint.unseal(Redacted.value(secret.checkpointKey), row.value) !== undefined
  if (isSealed) {
    const nowMillis = time.now().millis
    const whole = State.digest((yield* fold(store, space, nowMillis, "whole")).ledger.state)
    const quick = State.digest((yield* fold(store, space, nowMillis, secret.checkpointKey)).ledger.state)
    if (Bytes.isSame(whole, quick)) return
  }
  yield* store.commit({ space, locals: [{ name: Checkpoint.checkpointRow, bytes: null }] })
  yield* voice.note(
    `the checkpoint of space ${short(space)} ${isSealed ? "did not follow from its entries" : "was not made by this device"} and was removed; a new one is made`
  )
})

const holds = (office: Office, claims: ReadonlyArray<Claim>) =>
  Effect.map(office.verifier.verify(claims), (answers) => answers.every((good) => good))

const damaged = (office: Office, damage: ReadonlyArray<Damage>, entries: number, opens: boolean): Problem.Problem => {
  const peers = office.settings.peers.map(({ address }) => address)
  const still = opens
    ? "The space still opens: what lies before the damage, and every other feed, works."
    : "The space does not open like this."
  const ways = [
    "Restore the directory from a backup",
    peers.length === 0
      ? "or, if another device has the space, move the directory away and join again from there"
      : `or move the directory away and join again; asked for a code, one of these has the entries: ${peers.join(", ")}`
  ]
  const own = damage.some(({ isOwn }) => isOwn)
    ? " Entries of this device that no other device has are in a backup only."
    : ""
  return Problem.make("JournalDamaged", {
    what: `${count(damage.length, "feed")} of the journal can't be read to the end; ${count(entries, "entry is", "entries are")} good`,
    where: office.home.path,
    details: damage.map(({ device, feed, isOwn, seq, space, what }) => ({
      what,
      feed,
      seq,
      device: isOwn ? `${device} (this device)` : device,
      space
    })),
    do: `${still} ${ways.join("; ")}.${own}`
  })
}

const Verified = Schema.Struct({
  spaces: Schema.Finite,
  feeds: Schema.Finite,
  runs: Schema.Finite,
  entries: Schema.Finite,
  dropped: Schema.Finite,
  forks: Schema.Finite
})

export const render = (data: Data): string => {
  const { dropped, entries, feeds, forks, runs } = Schema.decodeUnknownSync(Verified)(data)
  const below = dropped === 0 ? "" : `; ${count(dropped, "entry", "entries")} below a seal were dropped here`
  const clean = `clean: ${count(entries, "entry", "entries")} in ${count(runs, "run")} of ${count(feeds, "feed")}, every chain and signature checked${below}`
  return forks === 0 ? clean : `${clean}; ${count(forks, "fork")} proved, see above`
}
