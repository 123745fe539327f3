/**
 * The two words of pairing, spoken over an authenticated channel before anything else (sync/PairingCode.ts: the code).
 *
 *     joiner → issuer   ["redeem", proof (32), box (32), name]   proof = HMAC of the code's secret over the channel key
 *     issuer → joiner   ["welcome", space (32), app]             the joiner is admitted, durably
 *                       ["refused", reason]                      nothing changed, except that a code may be burnt
 *
 * The joiner has checked that the device at the other end is the code's issuer before it says a word, so the proof
 * reaches nobody else; it is bound to this channel, so it is good nowhere else. The admission grants what the issuer
 * decided when it made the code, never what the joiner asks for.
 */
import * as Result from "effect/Result"
import { spaceId, toBytes, type SpaceId } from "../identity/Id.ts"
import type * as Cbor from "../journal/Cbor.ts"
import { isAppName } from "../journal/Genesis.ts"
import { deviceNameCharactersMax, reasonCharactersMax } from "../trust/limits.ts"

export type Step =
  | { readonly _tag: "Redeem"; readonly proof: Uint8Array; readonly box: Uint8Array; readonly name: string }
  | { readonly _tag: "Welcome"; readonly space: SpaceId; readonly app: string }
  | { readonly _tag: "Refused"; readonly reason: string }

export const toFields = (step: Step): ReadonlyArray<Cbor.Cbor> => {
  switch (step._tag) {
    case "Redeem":
      return ["redeem", step.proof, step.box, step.name]
    case "Welcome":
      return ["welcome", toBytes(step.space), step.app]
    case "Refused":
      return ["refused", step.reason]
  }
}

export const fromFields = (fields: ReadonlyArray<Cbor.Cbor>): Result.Result<Step, string> => {
  const [word, first, second, third, ...more] = fields
  if (more.length === 0) {
    if (word === "redeem" && isBytes32(first) && isBytes32(second) && isText(third, deviceNameCharactersMax))
      return Result.succeed({ _tag: "Redeem", proof: first, box: second, name: third })
    if (word === "welcome" && isBytes32(first) && isAppName(second) && third === undefined)
      return Result.succeed({ _tag: "Welcome", space: spaceId(first), app: second })
    if (word === "refused" && isText(first, reasonCharactersMax) && second === undefined)
      return Result.succeed({ _tag: "Refused", reason: first })
  }
  return Result.fail(
    `no step of pairing: ${typeof word === "string" ? JSON.stringify(word.slice(0, 20)) : typeof word}`
  )
}

const isBytes32 = (value: Cbor.Cbor | undefined): value is Uint8Array =>
  value instanceof Uint8Array && value.length === 32

const isText = (value: Cbor.Cbor | undefined, charactersMax: number): value is string =>
  typeof value === "string" && value.length <= charactersMax
