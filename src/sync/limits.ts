/** How much two devices put in flight between them; `test/sync/limits.test.ts` relates these to the journal's limits. */

/** One message, in bytes: the largest ones are a frontier with a bound, and a fork proof with its two runs. */
export const messageBytesMax = 500 * 1024

/** Runs sent and not yet credited, in bytes per space and direction. An introduction has to do with one window. */
export const windowBytes = 4 * 1024 * 1024

/** Such runs by number, so that many small ones do not fill queues that count messages. */
export const windowRuns = 512

/** Bytes of one part of sealed books. */
export const sealedPartBytes = 256 * 1024

/** Bytes of sealed books that are taken from a peer. */
export const sealedBytesMax = 256 * 1024 * 1024

/** Spaces in one hello or offer; more of them go in several offers. */
export const helloSpacesMax = 1024

/** Spaces one peer may offer that we do not speak of. */
export const unknownSpacesMax = 4096

/** Feeds of one space that one peer may claim to have and that we do not have. */
export const unknownFeedsMax = 64 * 1024

/** Feeds from which on a frontier is first told as its digest: shorter ones are told at once, which saves half a round. */
export const digestFeedsMin = 16

/** How often a peer may ask at once for a feed from an earlier point: a search goes back in doubling steps. */
export const rewindsMax = 64

/** Bytes of runs dealt with that give back one such question, so that a connection may last for years. */
export const rewindBytes = 64 * 1024

/** Pieces of blobs that one peer may seek at once on a connection. */
export const seeksMax = 8

/** Fork proofs one peer may bring of one space; each costs two signature checks. */
export const proofsMax = 1024
