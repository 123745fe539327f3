/**
 * How large the parts of a journal may be. Every decoder and every writer checks against these; `test/journal/limits.test.ts`
 * states how they relate. They are part of the format: raising one needs a new version of what it bounds.
 */

/** Body of one entry, in bytes. */
export const entryBytesMax = 128 * 1024

/** Facts in one entry. */
export const entryFactsMax = 256

/** Changes in one fact; their running number within an entry is part of every dot. */
export const factChangesMax = 256

/** Characters of a fact's type, ASCII. */
export const factTypeCharactersMax = 128

/** Authority feeds that one entry can name as seen. */
export const seenPositionsMax = 1024

/** Entries in one run: a kept signature is never further away than this. */
export const runEntriesMax = 1024

/**
 * The bodies of a run, unfolded, in bytes. A run is bounded by what it means, not by how well it was folded: so no small
 * run unfolds to a large one, and whatever is cut from runs or put together within this bound fits `runBytesMax` again.
 */
export const runBodyBytesMax = 216 * 1024

/** A run as sent or stored, in bytes: what `runBodyBytesMax` and `runEntriesMax` come to when nothing can be shared. */
export const runBytesMax = 240 * 1024

/** At sequence numbers divisible by this an entry states all that its author has seen, so reading can start there. */
export const completeSeenEvery = 1024

/** Sequence numbers stay below this: (seq, index of a change) packs into a safe integer. */
export const seqMax = 2 ** 36

/**
 * Data feeds of one device in one space; further ones are not fetched, so a device begins no more. Each beginning over costs
 * one: a restored store, a doubt about what others have of the last feed, a fork.
 */
export const deviceFeedsMax = 256

/**
 * Authority feeds of one device, with their branches; and branches of its data feeds, all together. Further ones are not fetched until somebody else names them, so a
 * device that makes more of them and may revoke can have different ones believed in different places: far more than any
 * honest device has.
 */
export const deviceHistoriesMax = 4096

/** Bytes of a feed header. */
export const headerBytesMax = 1024

/** Feeds in one frontier on the wire; a longer one goes in several messages. */
export const frontierFeedsMax = 4096
