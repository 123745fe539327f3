/**
 * Reads an archive (journal/Archive.ts) and checks it as a stranger's: every header, chain and signature, and that it holds
 * what it says at its end. Nothing is applied, so what comes of a file that fails is nothing.
 *
 * Who was allowed to say what is not decided here: that depends on the journal it comes to, and is decided there.
 */
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Claim, Verifier } from "../effects/Verifier.ts"
import * as Bytes from "../identity/Bytes.ts"
import { entryHash, short, type DeviceId, type EntryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Archive from "../journal/Archive.ts"
import * as Branch from "../journal/Branch.ts"
import * as Entry from "../journal/Entry.ts"
import * as Feed from "../journal/Feed.ts"
import type { Position } from "../journal/Feed.ts"
import * as Genesis from "../journal/Genesis.ts"
import * as Run from "../journal/Run.ts"
import * as Fact from "../trust/Fact.ts"
import { sealedBytesMax } from "../sync/limits.ts"
import { requestClaims } from "./Arrivals.ts"
import * as Sealed from "./Sealed.ts"

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

/** What a space's feeds of authority say of its root, and its root of seals, as far as they came by. */
interface Words {
  root: DeviceId | undefined
  readonly seals: Array<{ readonly device: DeviceId; readonly digest: string }>
}

interface Here {
  readonly feed: Feed.Feed
  readonly branch: Branch.Branch | undefined
  readonly id: FeedId
  readonly start: number
  next: number
  /** Undefined: what comes before was dropped under a seal. */
  hash: EntryHash | undefined
  /** The last entry that the sealed books hold of it. */
  readonly sealed: Position | undefined
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
  let words: Words = { root: undefined, seals: [] }
  let [pieces, piecesBytes]: [Array<Uint8Array>, number] = [[], 0]
  let books: Sealed.Sealed | undefined

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
    const hash = here.hash ?? here.sealed!.hash
    ends.get(space)!.set(here.id, { feed: here.id, entries: here.next - here.start, hash })
    here = undefined
  }

  /** The sealed books of the space, once they are whole: root's word for them has to stand before them. */
  const seal = Effect.fnUntraced(function* (offset: number) {
    const decoded = Sealed.decode(concatBytes(...pieces))
    ;[pieces, piecesBytes] = [[], 0]
    if (Result.isFailure(decoded)) return yield* broken(offset, `sealed books that can't be read: ${decoded.failure}`)
    const { digest } = decoded.success
    if (!words.seals.some((one) => one.device === words.root && one.digest === digest))
      return yield* broken(offset, "sealed books that the space's root did not seal")
    books = decoded.success
  })

  const takePiece = Effect.fnUntraced(function* ({ bytes, from, offset }: Archive.Placed & { _tag: "Sealed" }) {
    leave()
    if (from !== piecesBytes || books !== undefined || from + bytes.length > sealedBytesMax)
      return yield* broken(offset, "a piece that sealed books do not go on with")
    pieces.push(bytes)
    piecesBytes += bytes.length
  })

  const use = Effect.fnUntraced(function* (item: Archive.Placed) {
    const { offset } = item
    if (item._tag !== "Sealed" && pieces.length > 0) yield* seal(offset)
    if (item._tag === "Sealed") yield* takePiece(item)
    else if (item._tag === "Head") holds = item.holds
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
      if (here.feed.kind === "authority") listen(words, here.feed, run)
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
        words = { root: undefined, seals: [] }
        books = undefined
        ends.set(space, new Map())
      } else if (item._tag === "Feed") {
        const begun = feedOf(item, space!, ends.get(space!)!, books)
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
  ends: ReadonlyMap<FeedId, Archive.End>,
  books: Sealed.Sealed | undefined
): Here | string => {
  const named = Branch.decodeNamed(header)
  if (Result.isFailure(named)) return named.failure.what
  const { branch, feed } = named.success
  if (feed.space !== space) return "a feed of another space"
  const id = Branch.idOf(named.success)
  const before = ends.get(id)
  const sealed = books?.ends.get(id)
  const isSealed = before === undefined && from > 0 && sealed !== undefined && from <= sealed.seq + 1
  if (!isSealed && from !== (before?.entries ?? 0)) return `feed ${short(id)} does not go on where it ended`
  const start = branch?.at ?? 0
  const origin = branch?.previous ?? entryHash(Feed.origin(feed))
  const hash = !isSealed ? (before?.hash ?? origin) : from === sealed.seq + 1 ? sealed.hash : undefined
  return { feed, branch, id, start, next: start + from, hash, sealed }
}

/** Hears what a run of authority says of root and of seals. */
const listen = (words: Words, { device }: Feed.Feed, { bodies }: Run.Run): void => {
  for (const body of bodies) {
    const entry = Entry.decode(body)
    if (Result.isFailure(entry)) continue
    for (const said of entry.success.facts) {
      const fact = Fact.decode(said)
      if (fact._tag === "Seal") words.seals.push({ device, digest: bytesToHex(fact.digest) })
      if (fact._tag !== "Create") continue
      const genesis = Genesis.decode(fact.genesis)
      if (Result.isSuccess(genesis)) words.root ??= genesis.success.root
    }
  }
}

/** The run, if it is the next of its feed; else what is wrong with it. */
const runOf = ({ branch, feed, hash, id, next, sealed }: Here, bytes: Uint8Array): Run.Run | string => {
  const decoded = Run.decode(bytes)
  if (Result.isFailure(decoded)) return decoded.failure.what
  const run = decoded.success
  if (run.feed !== feed.id || run.first !== next || run.previous !== (hash ?? run.previous))
    return `a run that does not continue feed ${short(id)}`
  if (branch !== undefined && next === branch.at && entryHash(run.hashes[0]!) !== branch.first)
    return `a run that is not what branch ${short(id)} begins with`
  const covered = sealed === undefined ? undefined : run.hashes[sealed.seq - run.first]
  if (covered !== undefined && entryHash(covered) !== sealed!.hash)
    return `a run of another history of feed ${short(id)} than the one that was sealed`
  return run
}
