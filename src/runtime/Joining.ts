/**
 * Joining a space by a pairing code, from the side that was given the code: four stages under one deadline.
 *
 *     Connecting   until the code's issuer is on the line, proved to be the one that made the code
 *     Pairing      until the code's proof is handed over
 *     Admission    until the issuer answers, who writes the admission durably before it does
 *     FirstSync    until all that the issuer claims to have is here and judged
 *
 * From FirstSync on this device is a member, whatever happens next: what is here stays, and syncing goes on where it
 * stopped. When the time is over, or the issuer hangs up during the first sync, `JoinIncomplete` says how far it came
 * and what to do; before that a refusal and a broken connection are errors of their own.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as Message from "../sync/Message.ts"
import * as Pairing from "../sync/Pairing.ts"
import type { Link } from "./Link.ts"
import type { Replica } from "./Replica.ts"

/** The issuer did not admit us, or is not the device that made the code. */
export class PairingRefused extends Data.TaggedError("PairingRefused")<{ readonly what: string }> {
  override get message(): string {
    return `pairing failed: ${this.what}`
  }
}

export type JoinStage = "Connecting" | "Pairing" | "Admission" | "FirstSync"

/** Joining ended before the space was here; `stage` tells how far it came. */
export class JoinIncomplete extends Data.TaggedError("JoinIncomplete")<{
  readonly stage: JoinStage
  /** Why it went no further. */
  readonly what: string
  readonly address: string
  /** Known from FirstSync on, when this device is a member. */
  readonly space?: SpaceId | undefined
  readonly issuer?: DeviceId | undefined
}> {
  /** What whoever joins does next. */
  get way(): string {
    return ways[this.stage]
  }
  override get message(): string {
    return `${reached[this.stage]}: ${this.what}; ${this.way}`
  }
}

const reached: Readonly<Record<JoinStage, string>> = {
  Connecting: "not joined, the other device did not answer",
  Pairing: "not joined, the other device did not take the code",
  Admission: "the code was handed over, and no answer came",
  FirstSync: "this device is a member, but the space is not here yet"
}

const ways: Readonly<Record<JoinStage, string>> = {
  Connecting: "make sure that it runs and can be reached there, then join with the same code",
  Pairing: "make sure that it runs, then join with the same code",
  Admission:
    "it may have admitted this device all the same: make a new code there and join with that, which does no harm",
  FirstSync: "connect to it or to another member again: it goes on where this stopped"
}

/** How to join. */
export interface JoinOptions<E = never> {
  /** For all of it together; default `joinMillis`. */
  readonly timeoutMillis?: number | undefined
  /** This device was admitted: runs before the first sync, and ends the joining if it fails. */
  readonly admitted?: ((joined: Joined) => Effect.Effect<void, E>) | undefined
}

/** A space this device is a member of, and who admitted it. */
export interface Joined {
  readonly replica: Replica
  readonly issuer: DeviceId
}

/** How long joining may take unless it is said otherwise. */
export const joinMillis = 60_000

/** How often it is looked whether the space is here. */
const pollMillis = 20

/** How far one attempt has come; changed by the attempt alone. */
export interface Progress {
  stage: JoinStage
  space: SpaceId | undefined
  issuer: DeviceId | undefined
}

export const begin = (): Progress => ({ stage: "Connecting", space: undefined, issuer: undefined })

/** Ends an attempt that takes longer than it may. */
export const within =
  (progress: Progress, address: string, timeoutMillis: number) =>
  <A, E, R>(attempt: Effect.Effect<A, E, R>): Effect.Effect<A, E | JoinIncomplete, R> =>
    Effect.timeoutOrElse(attempt, {
      duration: timeoutMillis,
      orElse: () => Effect.fail(incomplete(progress, address, `nothing more came within ${timeoutMillis / 1000} s`))
    })

/** What the issuer's answer to the code says: which space this device is a member of now. */
export const answerOf = (frame: Uint8Array): Result.Result<SpaceId, PairingRefused> => {
  const message = Message.decode(frame)
  const step =
    Result.isSuccess(message) && message.success._tag === "Pairing"
      ? Pairing.fromFields(message.success.fields)
      : Result.fail("an answer to the code was due")
  if (Result.isFailure(step)) return Result.fail(new PairingRefused({ what: step.failure }))
  if (step.success._tag === "Welcome") return Result.succeed(step.success.space)
  const what = step.success._tag === "Refused" ? step.success.reason : "an answer to the code was due"
  return Result.fail(new PairingRefused({ what }))
}

/** Waits until all that the issuer claims to have is here; fails when the connection is over. */
export const firstSync = (
  progress: Progress,
  link: Link,
  space: SpaceId,
  isOpen: () => boolean
): Effect.Effect<void, JoinIncomplete> =>
  Effect.suspend(() => {
    if (link.isCaughtUp(space)) return Effect.succeed(true)
    if (isOpen()) return Effect.succeed(false)
    return Effect.fail(incomplete(progress, link.connection.address, "the other device ended the connection"))
  }).pipe(Effect.repeat({ schedule: Schedule.spaced(pollMillis), until: (isHere) => isHere }), Effect.asVoid)

const incomplete = (progress: Progress, address: string, what: string): JoinIncomplete =>
  new JoinIncomplete({ ...progress, what, address })
