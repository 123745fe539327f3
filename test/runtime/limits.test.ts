/** How the runtime's limits fit those of journal, sync and network. */
import { assert, it } from "@effect/vitest"
import { frameBytesMax } from "../../src/effects/Network.ts"
import { requestKeyCharactersMax } from "../../src/journal/Request.ts"
import { completeSeenEvery, entryBytesMax, runBytesMax, runEntriesMax } from "../../src/journal/limits.ts"
import { freshIdsMax } from "../../src/runtime/FreshId.ts"
import {
  chargeBlock,
  checkpointEveryMin,
  feedPendingBytesMax,
  ladderBytesMax,
  loadBytes,
  mailboxMax,
  operationsCostMax,
  outboxMax,
  parkedMax,
  rungBytesPerEntry,
  rungEntriesMin,
  rungsMax,
  runsPerTurnMax,
  takenBytesMax,
  writesWaitingMax
} from "../../src/runtime/limits.ts"
import * as Budget from "../../src/trust/Budget.ts"
import { codesMax, wrongProofsMax } from "../../src/runtime/PairingDesk.ts"
import { messageBytesMax, windowBytes, windowRuns } from "../../src/sync/limits.ts"

it("a message fits a frame", () => assert.isAtMost(messageBytesMax, frameBytesMax))

it("a step of a fold reads at least one whole run", () => assert.isAtLeast(loadBytes, runBytesMax))

it("rungs lie no further apart than checkpoint rows, and their distances double further than a ladder's bytes reach", () => {
  assert.isAtMost(rungEntriesMin, checkpointEveryMin)
  assert.isAtLeast(rungEntriesMin * 2 ** (rungsMax / 2), ladderBytesMax / rungBytesPerEntry)
})

it("what may wait of one feed holds its largest entry and a run of them", () =>
  assert.isAtLeast(feedPendingBytesMax, runEntriesMax * 1024 + entryBytesMax))

it("the writes that may wait fill a run, so that a signature is shared by as many as can share it", () =>
  assert.isAtLeast(writesWaitingMax, runEntriesMax))

it("a peer that keeps to its window never fills the outbox of the other", () =>
  assert.isAtLeast(outboxMax, 2 * windowRuns))

it("what waits for budget holds a window", () => assert.isAtLeast(parkedMax, 2 * windowRuns))

it("any message can be paid from a small part of a share, and from one block unless its operations are dear", () => {
  const dearest = Budget.costOf(messageBytesMax) + operationsCostMax
  assert.isBelow(dearest * 8, Budget.shareDefault)
  assert.isAtMost(Budget.costOf(windowBytes), chargeBlock + Budget.unitBytes)
  assert.isBelow(chargeBlock * 128, Budget.shareDefault)
})

it("a full mailbox at one connection stays within tens of megabytes", () =>
  assert.isAtMost(mailboxMax * messageBytesMax, 64 * 1024 * 1024))

it("one turn takes runs of no more than a few windows", () =>
  assert.isAtMost(runsPerTurnMax * runBytesMax, 4 * windowBytes + mailboxMax * runBytesMax))

it("a portion that a link hands over is small beside a window, and a turn takes it whole", () => {
  assert.isAtMost(takenBytesMax + runBytesMax, windowBytes / 4)
  assert.isAtLeast(runsPerTurnMax * runBytesMax, takenBytesMax + runBytesMax)
})

it("a run never needs more than the one complete view at its beginning", () =>
  assert.isAtMost(runEntriesMax, completeSeenEvery))

it("an operation's key and its ids are small beside an entry", () =>
  assert.isBelow(requestKeyCharactersMax * 3 + freshIdsMax * 26, entryBytesMax / 8))

it("all codes that are out together stand five guesses at eighty bits", () =>
  assert.isBelow(Math.log2(codesMax * wrongProofsMax), 8))
