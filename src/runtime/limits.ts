/** Sizes and counts of the runtime; `test/runtime/limits.test.ts` relates them to those of journal and sync. */

/** Bytes of runs read from the store in one step of a fold. */
export const loadBytes = 4 * 1024 * 1024

/** Entries that a fold takes from a feed before it judges them: few enough to be forgotten young. */
export const judgedTogether = 1024

/** Entries applied since the last checkpoint before one is due while running; grows with the journal, so that the
 * cost of checkpoints stays a fixed share of the work. */
export const checkpointEveryMin = 8192

/** A checkpoint that is due is written once nothing was asked for so long… */
export const checkpointQuietMillis = 1000

/** …or when so many times the entries that made it due were applied. */
export const checkpointLateTimes = 4

/** Entries applied since the last checkpoint for which closing writes a new one. */
export const checkpointAtCloseMin = 64

/** Entries that are judged again to find out that nothing has to be folded; beyond that, folding finds it out. */
export const rejudgedMax = 4096

/** Entries applied since the last rung of the ladder (runtime/Ladder.ts) before the next one is taken… */
export const rungEntriesMin = 8192

/** …and so many bytes of the books for each of them: writing those down is a small share of the work… */
export const rungBytesPerEntry = 16

/** …and in a quiet moment so many times fewer. */
export const rungQuietTimes = 8

/** Rungs of one ladder. Their distances double, so that more would go further back than anybody writes. */
export const rungsMax = 24

/** Bytes of all rungs of one ladder; books beyond it have none. */
export const ladderBytesMax = 32 * 1024 * 1024

/** So long after a space can be read its token is drawn, unless a write was first: two syncs that no reader waits for. */
export const claimAfterMillis = 50

/** Writes waiting for their turn at one replica; more wait at the door. */
export const writesWaitingMax = 4096

/** Runs of peers that one turn of a replica's writer takes together: one durable write for all. */
export const runsPerTurnMax = 64

/**
 * Bytes of runs that a link hands over for one turn, and the run that crosses: one durable write for some thousand small
 * entries. In larger portions what was read of them outlives the collector's youth, and costs more than the writes saved.
 */
export const takenBytesMax = 160 * 1024

/** All journals in the same place are looked at so often, for a hint may have been lost. */
export const neighbourPollMillis = 30_000

/** Feeds of which it is remembered that they grew there; of more, everything is looked at. */
export const neighbourHintsMax = 4096

/** Bytes of bodies that entries waiting in one feed may hold here before no more of it is taken. */
export const feedPendingBytesMax = 16 * 1024 * 1024

/** Messages waiting to be sent on one connection; the window bounds their bytes. A peer that lets it fill is let go. */
export const outboxMax = 4096

/** Messages and notices waiting at one connection; when it is full the connection is not read. */
export const mailboxMax = 64

/** Units of flow that are reserved durably at once (runtime/Account.ts): so many are lost at most when the process is. */
export const chargeBlock = 4096

/** Nonces of receipts that are reserved with them. */
export const nonceBlock = 256

/** Epochs of which an account with a peer is kept; of what came before nothing is spent any more. */
export const accountEpochsMax = 4

/** Receipts of an epoch that are remembered as acknowledged; of more, what is named before one is not checked. */
export const answeredMax = 1024

/** So long after a receipt the next one to the same peer is signed. */
export const receiptMillis = 250

/** Messages of one space that wait for budget on one connection: runs of a window, and what is asked and proved beside them. */
export const parkedMax = 1024

/** A link whose peer is over budget tries again after so long, and sooner when the epoch ends or authority moves. */
export const budgetRetryMillis = 60_000

/** Units that the operations in one run may cost beyond its bytes: far less than a lease, or it would never leave. */
export const operationsCostMax = 2 ** 16

/** Chunks of one blob that are read, written or asked for at once: so many are in memory. */
export const chunksAtOnce = 4

/** So long a peer may take to bring a piece. */
export const pieceMillis = 10_000

/** Blobs that nobody names are looked for so often. */
export const sweepMillis = 3_600_000

/** So long a blob stays after a sweep found that no state names it: whoever put it may be about to, here or elsewhere. */
export const blobGraceMillis = 24 * 3_600_000
