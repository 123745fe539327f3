/**
 * Summaries of what a device spent in the hours that have ended (trust/Budget.ts): which are due, and which runs hold
 * nothing else, for those cost nothing.
 */
import * as Result from "effect/Result"
import { feedId } from "../identity/Id.ts"
import * as Entry from "../journal/Entry.ts"
import * as Run from "../journal/Run.ts"
import type * as Message from "../sync/Message.ts"
import type { Ledger } from "./Ledger.ts"

/** Type of the fact that sums up. */
export const summaryType = "aura.flow.summary"

/** Whether a message is a run of authority that holds summaries and nothing else. */
export const isOfSummaries = (ledger: Ledger, message: Message.Message): boolean => {
  if (message._tag !== "Run" || message.run.length < 33) return false
  // the feed's name stands behind the version: most runs are of data, and need not be read
  const feed = feedId(message.run.subarray(1, 33))
  if (ledger.lines.get(feed)?.feed.kind === "data") return false
  const run = Run.decode(message.run)
  return Result.isSuccess(run) && run.success.bodies.every(isSummary)
}

const isSummary = (body: Uint8Array): boolean => {
  const entry = Entry.decode(body)
  return Result.isSuccess(entry) && entry.success.facts.every(({ type }) => type === summaryType)
}
