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
import { entryHash, short, type SpaceId } from "../identity/Id.ts"
import * as Branch from "../journal/Branch.ts"
import * as Feed from "../journal/Feed.ts"
import * as State from "../journal/crdt/State.ts"
import * as Run from "../journal/Run.ts"
import { requestClaims } from "../runtime/Arrivals.ts"
import * as Checkpoint from "../runtime/Checkpoint.ts"
import { fold } from "../runtime/Fold.ts"
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
  readonly damage: Array<Damage>
}

export const answer = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const tally: Tally = { feeds: 0, runs: 0, entries: 0, branches: 0, damage: [] }
  const spaces = yield* office.store.spaces
  for (const space of spaces) {
    for (const stored of yield* office.store.feeds(space)) yield* checkFeed(office, voice, space, stored, tally)
  }
  const { damage, entries, feeds, runs } = tally
  if (damage.length > 0) {
    const opened = yield* Effect.forEach(spaces, (space) =>
      Effect.exit(fold(office.store, space, office.time.now().millis, "whole"))
    )
    return yield* damaged(office, damage, entries, opened.every(Exit.isSuccess))
  }
  for (const space of spaces) yield* checkCheckpoint(office, voice, space)
  yield* voice.data({ spaces: spaces.length, feeds, runs, entries, forks: tally.branches })
})

const checkFeed = Effect.fnUntraced(function* (
  office: Office,
  voice: Voice,
  space: SpaceId,
  stored: StoredFeed,
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
  let next = start
  let hash = branch?.previous ?? entryHash(Feed.origin(feed))
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
      if (run.success.feed !== feed.id || run.success.first !== next || run.success.previous !== hash)
        return note(next, "does not continue what is before it")
      if (branch !== undefined && next === start && entryHash(run.success.hashes[0]!) !== branch.first)
        return note(next, "is not what its branch begins with")
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
  if (hash !== stored.hash) note(Math.max(start, next - 1), "its end is not the one that was written down")
  if (branch === undefined) return
  tally.branches++
  yield* voice.note(
    `device ${short(feed.device)} signed two histories of feed ${short(feed.id)} from entry ${branch.at} on; ${feed.kind === "authority" ? "the revocations on each stand, nothing else does" : "the feed is frozen there"}, but for what was settled on`
  )
})

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
  forks: Schema.Finite
})

export const render = (data: Data): string => {
  const { entries, feeds, forks, runs } = Schema.decodeUnknownSync(Verified)(data)
  const clean = `clean: ${count(entries, "entry", "entries")} in ${count(runs, "run")} of ${count(feeds, "feed")}, every chain and signature checked`
  return forks === 0 ? clean : `${clean}; ${count(forks, "fork")} proved, see above`
}
