/**
 * A law is a named promise with a check that any environment can run: a test runner, `aura doctor` on the disk it was
 * given, a debug screen on a phone. So laws are data, and what they need is in their type.
 *
 * The helpers below assert in plain effects, without a test library. A broken law fails with `LawBroken`, which says
 * what was seen; a law never dies on purpose. They compare by content (bytes, records, options, arrays, maps in their
 * order), so the same call serves for everything that a contract hands out. Redacted values print alike, so they
 * would compare equal: unwrap them first.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

export interface Law<R> {
  /** A sentence about behaviour. */
  readonly name: string
  readonly check: Effect.Effect<void, unknown, R>
}

export class LawBroken extends Data.TaggedError("LawBroken")<{ readonly what: string }> {
  override get message(): string {
    return this.what
  }
}

/** Fails with `what` unless the condition holds. */
export const expect = (holds: boolean, what: string): Effect.Effect<void, LawBroken> =>
  holds ? Effect.void : Effect.fail(new LawBroken({ what }))

/** Fails unless both have the same content; `what` names the thing compared. */
export const expectSame = (actual: unknown, expected: unknown, what: string): Effect.Effect<void, LawBroken> =>
  Effect.suspend(() => {
    const [found, wanted] = [contentOf(actual), contentOf(expected)]
    return expect(found === wanted, `${what}: expected ${excerpt(wanted)}, found ${excerpt(found)}`)
  })

/** Fails unless the effect fails with an error for which `isExpected` holds; hands that error out. */
export const expectFailure = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  isExpected: (error: E) => boolean,
  what: string
): Effect.Effect<E, LawBroken, R> =>
  Effect.matchEffect(effect, {
    onSuccess: (value) =>
      Effect.fail(new LawBroken({ what: `${what}: it succeeded with ${excerpt(contentOf(value))}` })),
    onFailure: (error) =>
      isExpected(error)
        ? Effect.succeed(error)
        : Effect.fail(new LawBroken({ what: `${what}: it failed with ${excerpt(String(error))}` }))
  })

/** Text that is equal exactly when the content is: bytes as hexadecimal digits, records by sorted key. */
const contentOf = (value: unknown): string => {
  if (value instanceof Uint8Array) return `bytes(${Array.from(value, hexadecimal).join("")})`
  if (value instanceof Map || value instanceof Set)
    return `${value instanceof Map ? "map" : "set"}${contentOf([...value])}`
  if (Array.isArray(value)) return `[${value.map(contentOf).join(", ")}]`
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
    // What has no fields of its own (an absent option, a date) prints itself.
    if (fields.length === 0) return String(value)
    return `{${fields.map(([key, field]) => `${JSON.stringify(key)}: ${contentOf(field)}`).join(", ")}}`
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value)
}

const hexadecimal = (byte: number): string => byte.toString(16).padStart(2, "0")

const excerpt = (text: string): string => (text.length <= excerptMax ? text : `${text.slice(0, excerptMax)}…`)

/** Characters of either side that a broken law quotes. */
const excerptMax = 400
