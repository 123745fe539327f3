/**
 * `aura/text`: text that several people edit at once, on Yjs. Importing it makes the field kind Text known.
 *
 * Kept apart so that only applications with text in them install and bundle `yjs` (an optional peer dependency). A
 * device that does not import it keeps the entries of applications with text waiting.
 */

/** The field, for an application's `state`. */
export { Text } from "./journal/crdt/TextDraft.ts"

/** What an operation's plan is handed for it. */
export type { TextDraft } from "./journal/crdt/TextDraft.ts"
