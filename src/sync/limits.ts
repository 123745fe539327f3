/** How much two devices put in flight between them; `test/sync/limits.test.ts` relates these to the journal's limits. */

/** One message, in bytes: a run with its header and framing fits. */
export const messageBytesMax = 300 * 1024

/** Runs sent and not yet credited, in bytes per space and direction. */
export const windowBytes = 1024 * 1024

/** Spaces in one hello. */
export const helloSpacesMax = 1024

/** Feeds one peer may name that we do not know, before it is asked to stop. */
export const unknownFeedsMax = 4096

/** How often a peer may ask for a feed again from an earlier point: a fork search halves, so this is plenty. */
export const rewindsMax = 64
