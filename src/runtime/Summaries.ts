/**
 * Summaries of what a device spent in the hours that have ended (trust/Budget.ts): which are due, and which runs hold
 * nothing else, for those cost nothing.
 *
 * An hour in which a device only said how far it is has none: the answers to each hour's summaries would be summed up in
 * the next. A summary that stands in the journal is not written again, whatever became of the process that wrote it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import { feedId, type DeviceId } from "../identity/Id.ts"
import * as Branch from "../journal/Branch.ts"
import * as Entry from "../journal/Entry.ts"
import * as Run from "../journal/Run.ts"
import type * as Message from "../sync/Message.ts"
import * as Authority from "../trust/Authority.ts"
import * as Budget from "../trust/Budget.ts"
import type * as Fact from "../trust/Fact.ts"
import type { Ledger } from "./Ledger.ts"
import type { Replica } from "./Replica.ts"

/** Type of the fact that sums up. */
const summaryType = "aura.flow.summary"

/** Whether agents write summaries. Not by default: they grow every journal of the space, by one fact per peer and hour. */
export const Summarizing = Context.Reference<boolean>("aura/runtime/Summarizing", { defaultValue: () => false })

/** What this device has to say of the hours before `nowEpoch`. */
export const due = Effect.fnUntraced(function* (
  { ledger, spending }: Replica,
  self: DeviceId,
  nowEpoch: number
): Effect.fn.Return<ReadonlyArray<Fact.Summary>, JournalStoreError> {
  const { authority } = ledger()
  if (authority === undefined || !mayWrite(authority, self)) return []
  const summaries: Array<Fact.Summary> = []
  for (const { device: peer } of Authority.members(authority)) {
    if (peer === self) continue
    const account = yield* spending.account(peer)
    for (const { epoch, head, isTold, receipts, spent } of account.spent())
      if (isTold && spent > 0 && epoch < nowEpoch && !isSaid(authority, self, peer, epoch))
        summaries.push({ _tag: "Summary", peer, epoch, spent, receipts, head })
  }
  return summaries.slice(0, factsMax)
})

/** Summaries in one entry; the rest has its turn later. */
const factsMax = 64

const mayWrite = (authority: Authority.Authority, device: DeviceId): boolean =>
  Authority.isAdmitted(authority, Authority.present(authority), device) && !Authority.isRevoked(authority, device)

const isSaid = (authority: Authority.Authority, author: DeviceId, peer: DeviceId, epoch: number): boolean =>
  Budget.saidIn(authority).some(
    (said) =>
      said.author === author && said.fact._tag === "Summary" && said.fact.peer === peer && said.fact.epoch === epoch
  )

/** Whether a message is a run of authority that holds summaries and nothing else. */
export const isOfSummaries = (ledger: Ledger, message: Message.Message): boolean => {
  if (message._tag !== "Run" || message.run.length < 33) return false
  // the feed's name stands behind the version: most runs are of data, and need not be read
  const feed = feedId(message.run.subarray(1, 33))
  if (ledger.lines.get(feed)?.feed.kind === "data" || isOfData(message.header)) return false
  const run = Run.decode(message.run)
  return Result.isSuccess(run) && run.success.bodies.every(isSummary)
}

const isOfData = (header: Uint8Array | undefined): boolean => {
  const named = header === undefined ? undefined : Branch.decodeNamed(header)
  return named !== undefined && Result.isSuccess(named) && named.success.feed.kind === "data"
}

const isSummary = (body: Uint8Array): boolean => {
  const entry = Entry.decode(body)
  return Result.isSuccess(entry) && entry.success.facts.every(({ type }) => type === summaryType)
}
