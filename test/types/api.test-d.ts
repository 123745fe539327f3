/**
 * What the compiler knows about the public API: checked by `tsc -p tsconfig.json`, never run.
 *
 * A line that must not compile stands under `@ts-expect-error` with the reason; if it compiles one day, the check fails.
 */
import { DeviceId, SpaceId, type Connection, type JournalStoreError } from "aura"
import type { Law, LawBroken } from "aura/conformance"
import type * as Effect from "effect/Effect"
import { expectTypeOf } from "vitest"

declare const device: DeviceId
declare const connection: Connection
declare const law: Law<never>
declare const failure: JournalStoreError

expectTypeOf(DeviceId.make("")).toEqualTypeOf<DeviceId>()
expectTypeOf(connection.peer).toEqualTypeOf<DeviceId>()
expectTypeOf(law.check).toExtend<Effect.Effect<void, unknown>>()
expectTypeOf<LawBroken["_tag"]>().toEqualTypeOf<"LawBroken">()
expectTypeOf(failure.reason._tag).toEqualTypeOf<
  "JournalFull" | "JournalConflict" | "JournalCorrupt" | "JournalLocked" | "JournalTooNew" | "JournalUnavailable"
>()

// @ts-expect-error ids of different things don't mix
export const space: SpaceId = device

// @ts-expect-error a plain string is no id
export const named: DeviceId = "alice"

expectTypeOf(SpaceId.make("")).not.toEqualTypeOf<DeviceId>()
