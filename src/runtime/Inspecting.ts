/**
 * Reads an archive (journal/Archive.ts) and checks it as a stranger's: every header, chain and signature, and that it holds
 * what it says at its end. Nothing is applied, so what comes of a file that fails is nothing.
 *
 * Who was allowed to say what is not decided here: that depends on the journal it comes to, and is decided there.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Claim, Verifier } from "../effects/Verifier.ts"
import * as Bytes from "../identity/Bytes.ts"
import { entryHash, short, type EntryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Archive from "../journal/Archive.ts"
import * as Branch from "../journal/Branch.ts"
import * as Feed from "../journal/Feed.ts"
import * as Run from "../journal/Run.ts"
import { requestClaims } from "./Arrivals.ts"

/** The file is no archive, was cut off, or was altered. Nothing of it was applied. */
export class ArchiveBroken extends Data.TaggedError("ArchiveBroken")<{
  readonly where: string
  readonly offset: number
  readonly what: string
}> {
  override get message(): string {
    return `${this.where} is broken at byte ${this.offset}: ${this.what}`
  }
}

/** A newer version of Aura wrote the file. Nothing of it was applied. */
export class ArchiveTooNew extends Data.TaggedError("ArchiveTooNew")<{
  readonly where: string
  readonly found: number
  readonly known: number
}> {
  override get message(): string {
    return `${this.where} has format ${this.found}, this version reads up to ${this.known}: upgrade Aura`
  }
}

export type ArchiveFault = ArchiveBroken | ArchiveTooNew

/** An archive that can be read from its beginning as often as it is needed; `use` gets its items in order. */
export interface Source<Lost> {
  readonly where: string
  readonly read: <E>(
    use: (item: Archive.Placed) => Effect.Effect<void, E>
  ) => Effect.Effect<void, E | Lost | ArchiveFault>
}

/** What an archive holds that holds what it says. */
export interface Inspected {
  readonly holds: Archive.Holds
  readonly totals: Archive.Totals
  readonly ends: ReadonlyMap<SpaceId, ReadonlyArray<Archive.End>>
}

/** Claims that are verified together. */
const claimsTogether = 256

interface Pending {
  readonly claim: Claim
  readonly offset: number
  readonly what: string
}

interface Here {
  readonly feed: Feed.Feed
  readonly branch: Branch.Branch | undefined
  readonly id: FeedId
  readonly start: number
  next: number
  hash: EntryHash
}

export const inspect = Effect.fnUntraced(function* <Lost>(
  source: Source<Lost>,
  verifier: Verifier["Service"],
  told: (entries: number) => Effect.Effect<void>
): Effect.fn.Return<Inspected, Lost | ArchiveFault> {
  const { where } = source
  const ends = new Map<SpaceId, Map<FeedId, Archive.End>>()
  const filed = new Map<string, number>()
  let holds: Archive.Holds = "journal"
  let totals: Archive.Totals | undefined
  let space: SpaceId | undefined
  let here: Here | undefined
  let stated = 0
  let [runs, entries] = [0, 0]
  let pending: Array<Pending> = []

  const broken = (offset: number, what: string) => new ArchiveBroken({ where, offset, what })

  const verifyAll = Effect.fnUntraced(function* () {
    const due = pending
    pending = []
    const answers = yield* verifier.verify(due.map(({ claim }) => claim))
    const bad = due.find((_, index) => answers[index] !== true)
    if (bad !== undefined) return yield* broken(bad.offset, bad.what)
  })

  const leave = (): void => {
    if (here === undefined || space === undefined) return
    ends.get(space)!.set(here.id, { feed: here.id, entries: here.next - here.start, hash: here.hash })
    here = undefined
  }

  const use = Effect.fnUntraced(function* (item: Archive.Placed) {
    const { offset } = item
    if (item._tag === "Head") holds = item.holds
    else if (item._tag === "File") {
      if (holds !== "backup") return yield* broken(offset, "a file in what is no backup")
      if (item.from !== (filed.get(item.name) ?? 0))
        return yield* broken(offset, "a piece that a file does not go on with")
      filed.set(item.name, item.from + item.bytes.length)
    } else if (item._tag === "Run") {
      if (here === undefined) return yield* broken(offset, "a run of no feed")
      const run = runOf(here, item.bytes)
      if (typeof run === "string") return yield* broken(offset, run)
      const what = `a run of feed ${short(here.id)} that its device did not sign, or a request in it that nobody did`
      for (const claim of [Run.claim(run, Feed.signer(here.feed)), ...requestClaims(here.feed, run)])
        pending.push({ claim, offset, what })
      here.next = Run.lastSeq(run) + 1
      here.hash = Run.lastHash(run)
      runs++
      entries += run.times.length
      if (pending.length >= claimsTogether) yield* verifyAll()
      yield* told(entries)
    } else {
      leave()
      if (item._tag === "Space") {
        if (space !== undefined && stated !== ends.get(space)!.size)
          return yield* broken(offset, "a space that does not tell where all of its feeds end")
        if (ends.has(item.space)) return yield* broken(offset, "a space that was in it already")
        space = item.space
        stated = 0
        ends.set(space, new Map())
      } else if (item._tag === "Feed") {
        const begun = feedOf(item, space!, ends.get(space!)!)
        if (typeof begun === "string") return yield* broken(offset, begun)
        here = begun
        const { feed } = begun
        if (feed.key !== undefined)
          pending.push({
            claim: Feed.keyClaim(feed, feed.key),
            offset,
            what: "a feed's key that its device did not sign"
          })
      } else if (item._tag === "Ends") {
        const known = ends.get(space!)!
        stated += item.ends.length
        for (const { entries, feed, hash } of item.ends) {
          const end = known.get(feed)
          if (end?.entries !== entries || end.hash !== hash)
            return yield* broken(offset, `feed ${short(feed)} does not end where it is said to`)
        }
      } else totals = item
    }
  })

  yield* source.read(use)
  yield* verifyAll()
  const lists = new Map([...ends].map(([id, feeds]) => [id, [...feeds.values()]]))
  const feeds = [...lists.values()].reduce((sum, list) => sum + list.length, 0)
  const isWhole =
    totals !== undefined &&
    totals.spaces === ends.size &&
    totals.feeds === feeds &&
    totals.runs === runs &&
    totals.entries === entries &&
    (space === undefined || stated === ends.get(space)!.size) &&
    Bytes.isSame(totals.root, Archive.rootOf(lists))
  if (totals === undefined || !isWhole) return yield* broken(0, "it does not hold what its last record says")
  return { holds, totals, ends: lists }
})

const feedOf = (
  { from, header }: Archive.Item & { readonly _tag: "Feed" },
  space: SpaceId,
  ends: ReadonlyMap<FeedId, Archive.End>
): Here | string => {
  const named = Branch.decodeNamed(header)
  if (Result.isFailure(named)) return named.failure.what
  const { branch, feed } = named.success
  if (feed.space !== space) return "a feed of another space"
  const id = Branch.idOf(named.success)
  const before = ends.get(id)
  if (from !== (before?.entries ?? 0)) return `feed ${short(id)} does not go on where it ended`
  const start = branch?.at ?? 0
  const hash = before?.hash ?? branch?.previous ?? entryHash(Feed.origin(feed))
  return { feed, branch, id, start, next: start + from, hash }
}

/** The run, if it is the next of its feed; else what is wrong with it. */
const runOf = ({ branch, feed, hash, id, next }: Here, bytes: Uint8Array): Run.Run | string => {
  const decoded = Run.decode(bytes)
  if (Result.isFailure(decoded)) return decoded.failure.what
  const run = decoded.success
  if (run.feed !== feed.id || run.first !== next || run.previous !== hash)
    return `a run that does not continue feed ${short(id)}`
  if (branch !== undefined && next === branch.at && entryHash(run.hashes[0]!) !== branch.first)
    return `a run that is not what branch ${short(id)} begins with`
  return run
}
