/**
 * How large the parts of application state may be. Part of the format: whether a change is valid depends on these, so
 * raising one needs a new field kind or value kind, never a new number. `test/journal/crdt/limits.test.ts` states how
 * they relate to each other and to the journal's limits.
 *
 * A whole value has no limit of its own: the entry that carries it has one (`entryBytesMax`).
 */

/** Fields of a definition, and fields of the records of one ORMap. */
export const fieldsMax = 256

/** Characters of a field's name: an ASCII letter, then letters, digits and `_`. */
export const fieldNameCharactersMax = 64

/** UTF-16 code units of a string value: the default and the most a definition can allow. */
export const stringLengthMax = 64 * 1024

/** Bytes of a byte-string value: the default and the most a definition can allow. */
export const bytesLengthMax = 64 * 1024

/** Items of an array value, keys of a record value: the default and the most a definition can allow. */
export const itemsMax = 8192

/** Value types inside each other. With the nesting of entries and checkpoints around it stays below the codec's limit. */
export const valueDepthMax = 6

/** Named fields of a struct, members of a union, values of a literal type. */
export const alternativesMax = 256

/** UTF-16 code units of an LWWMap key, of an ORMap id and of a record value's key; at least one. */
export const keyLengthMax = 256

/** Dots that one removal or overwrite can name, ranges that one text edit can delete. */
export const dotsMax = 4096

/** UTF-16 code units that one text edit can insert. */
export const editLengthMax = 64 * 1024

/** Bytes of the FeedId's beginning by which a dot names a feed. */
export const dotFeedBytes = 16
