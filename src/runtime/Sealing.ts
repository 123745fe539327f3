/**
 * How a replica comes to stand on the books that root sealed, and drops what lies below them.
 *
 * Who has every entry below a seal makes the sealed books itself; who lacks some takes them from a peer, and knows by root's
 * digest that they are the same. From then on they are the beginning of this replica's books: nothing below is judged again,
 * whatever comes, and a store may drop it. Until then a seal is known and not stood on: books stay as they follow from what
 * is here.
 *
 * A replica that has another history of a sealed feed than the one that root sealed does not take the seal up. Who puts that
 * right is a person: its store says something else than everybody's.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStoreError, Start } from "../effects/JournalStore.ts"
import { short } from "../identity/Id.ts"
import * as Authority from "../trust/Authority.ts"
import type * as Fact from "../trust/Fact.ts"
import { cutPositionsMax } from "../trust/limits.ts"
import * as Checkpoint from "./Checkpoint.ts"
import * as Desk from "./Desk.ts"
import * as Fold from "./Fold.ts"
import * as Histories from "./Histories.ts"
import type { Ledger } from "./Ledger.ts"
import * as Line from "./Line.ts"
import * as Packing from "./Packing.ts"
import * as Sealed from "./Sealed.ts"
import { abandonedLocal } from "./Token.ts"

/** Whether agents drop what lies below a seal as soon as they stand on it. Not by default: it can't be undone. */
export const DropsSealed = Context.Reference<boolean>("aura/runtime/DropsSealed", { defaultValue: () => false })

/** Why books can't be sealed, or sealed ones not be taken up. Nothing changed. */
export class SealRefused extends Data.TaggedError("SealRefused")<{ readonly what: string; readonly do: string }> {
  override get message(): string {
    return `${this.what}: ${this.do}`
  }
}

/** The digest of the newest seal, as long as this replica does not stand on it. */
export const wanted = ({ authority, sealed }: Ledger): string | undefined => {
  const newest = authority === undefined ? undefined : Authority.seals(authority).at(-1)
  const digest = newest && bytesToHex(newest.fact.digest)
  return digest === sealed?.digest ? undefined : digest
}

/** What root would say now to seal all that counts here, and the books that it seals. */
export const propose = ({
  damage,
  ledger
}: Fold.Folded): Result.Result<{ readonly fact: Fact.Seal; readonly books: Uint8Array }, SealRefused> => {
  const refuse = (what: string, todo: string) => Result.fail(new SealRefused({ what, do: todo }))
  const positions = Sealed.positionsOf(ledger)
  if (damage.length > 0)
    return refuse(
      `${damage.length} places of the journal are damaged here`,
      'run "aura journal verify", or seal on another device'
    )
  for (const [feed] of ledger.branches)
    if (ledger.lines.get(feed)?.feed.kind === "data")
      return refuse(`feed ${short(feed)} has two histories`, "a space is sealed as long as each feed of data has one")
  if (positions.length > cutPositionsMax)
    return refuse(`${positions.length} feeds have data`, `a seal names ${cutPositionsMax} at most`)
  if (wanted(ledger) !== undefined)
    return refuse("a newer seal is known than this device stands on", "sync with the others, then try again")
  if (positions.every(({ feed, seq }) => (ledger.sealed?.ends.get(feed)?.seq ?? -1) === seq))
    return refuse("nothing counts here that is not sealed", "there is nothing to do")
  const books = Sealed.encode(ledger)
  return Result.succeed({ books, fact: { _tag: "Seal", positions, digest: Sealed.digestOf(books) } })
}

/** Whether the newest seal may be taken up with what is here, and was not tried with the authority there is. */
export const isDue = (desk: Desk.Desk): boolean => {
  const { ledger } = desk.folded
  if (desk.isStale || ledger.authority === undefined || wanted(ledger) === undefined) return false
  return desk.sealTriedBy !== ledger.authority && isAllHere(ledger)
}

const isAllHere = (ledger: Ledger): boolean =>
  Authority.seals(ledger.authority!)
    .at(-1)!
    .fact.positions.every(({ feed, seq }) => (ledger.lines.get(feed)?.judged ?? 0) > seq)

/** Whether the sealed books have to come from a peer: what is here does not make them. */
export const isFailed = ({ folded: { ledger }, sealTriedBy }: Desk.Desk): boolean =>
  sealTriedBy !== undefined && sealTriedBy === ledger.authority && wanted(ledger) !== undefined

/** Makes the sealed books from what is here, and takes them up if they are those that root sealed. */
export const takeUpOwn = Effect.fnUntraced(function* (desk: Desk.Desk): Effect.fn.Return<void, JournalStoreError> {
  const { ledger } = desk.folded
  const seal = Authority.seals(ledger.authority!).at(-1)!
  desk.sealTriedBy = ledger.authority
  const { ledger: below } = yield* Fold.foldTo(desk.store, desk.space, desk.time.now().millis, seal.fact.positions)
  const books = Sealed.encode(below)
  if (bytesToHex(Sealed.digestOf(books)) !== wanted(ledger))
    return yield* Effect.logWarning(
      "root sealed other books than follow from the entries here; a peer that has them is asked",
      { space: short(desk.space) }
    )
  const refusal = yield* takeUp(desk, books)
  if (refusal !== undefined) yield* Effect.logWarning(refusal.message)
})

/** Takes up the books of the newest seal: durable, and what readers see, when it succeeds; or tells why not. */
export const takeUp = Effect.fnUntraced(function* (
  desk: Desk.Desk,
  bytes: Uint8Array
): Effect.fn.Return<SealRefused | undefined, JournalStoreError> {
  const { ledger } = desk.folded
  const books = Sealed.decode(bytes)
  if (Result.isFailure(books)) return refused(`sealed books that can't be read (${books.failure})`)
  if (books.success.digest === ledger.sealed?.digest) return undefined
  if (books.success.digest !== wanted(ledger)) return refused("books that are not those of root's newest seal")
  const starts: Array<Start> = []
  for (const end of books.success.ends.values()) {
    const { feed, hash, header, seq } = end
    const line = ledger.lines.get(feed)
    const isHere = line !== undefined && line.taken > seq
    const isForkedBelow = ledger.branches.get(feed)?.some((line) => Line.startOf(line) <= seq)
    if (isForkedBelow === true || (isHere && !(yield* Histories.isAt(desk.store, ledger, line, end))))
      return new SealRefused({
        what: `this device has another history of feed ${short(feed)} than the one that root sealed`,
        do: "join again with a fresh directory"
      })
    if (isHere) continue
    starts.push({ feed, header: header.bytes, entries: seq + 1, hash })
    // what this device said behind the seal it has lost: somebody else may have it
    if (header.device === desk.keys.device) desk.abandoned.add(feed)
  }
  const locals = [
    { name: Sealed.sealedRow, bytes },
    { name: Checkpoint.checkpointRow, bytes: null },
    abandonedLocal(desk.abandoned)
  ]
  yield* Desk.commit(desk, { starts, locals })
  yield* Desk.foldWhole(desk)
  if (desk.dropsSealed) yield* drop(desk)
  return undefined
})

const refused = (what: string) => new SealRefused({ what, do: "nothing was changed" })

/** Drops what lies below the sealed books that this replica stands on: how many entries went. */
export const drop = Effect.fnUntraced(function* (desk: Desk.Desk): Effect.fn.Return<number, JournalStoreError> {
  const { ledger } = desk.folded
  const starts = [...(ledger.sealed?.ends.values() ?? [])].map(({ feed, hash, header, seq }) => ({
    feed,
    header: header.bytes,
    entries: seq + 1,
    hash
  }))
  if (starts.length === 0) return 0
  yield* Desk.commit(desk, { starts })
  Packing.forget(desk.block)
  let dropped = 0
  for (const { entries, feed, first } of yield* desk.store.feeds(desk.space)) {
    const line = ledger.lines.get(feed)
    if (line === undefined || line.branch !== undefined) continue
    dropped += Math.min(first, entries) - line.kept
    line.kept = first
  }
  return dropped
})
