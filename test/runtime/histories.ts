/**
 * Random histories of a space, as several devices might have written them, honest and not: admissions, grants,
 * definitions, data valid and invalid, revocations with cuts, root's too, closings, forks, repeated idempotency keys,
 * times far ahead. One seed is one history; names and keys come from pools of three, so that things collide.
 */
import type { Keys } from "../../src/effects/Keys.ts"
import { definitionId, entryHash, type EntryHash, type FeedId, type SpaceId } from "../../src/identity/Id.ts"
import type { Entry } from "../../src/conformance/Law.ts"
