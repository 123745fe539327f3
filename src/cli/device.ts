/**
 * `aura device list` and `aura device revoke`: who is in the space, and putting somebody out.
 *
 * A revocation is final for a key, and leaves alone what this device has of the other's entries; what comes later from it
 * counts nowhere. It is written here and travels with the next sync.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Clock from "../journal/Clock.ts"
import * as Governing from "../runtime/Governing.ts"
import * as Authority from "../trust/Authority.ts"
import { reasonCharactersMax } from "../trust/limits.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Person from "./Person.ts"
import * as Problem from "./Problem.ts"
import { count, printable, time } from "./Text.ts"

export const list = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const replica = yield* office.replica
  const { authority } = replica.ledger()
  if (authority === undefined) return
  const view = Authority.present(authority)
  for (const { device, name, revoked } of Authority.members(authority)) {
    const restriction = Authority.revocations(authority, device)[0]
    yield* voice.data({
      device,
      name,
      isThis: device === office.keys.device,
      can: [...new Set(Authority.rights(authority, view, device).map(({ capability }) => capability))],
      revoked:
        revoked && restriction !== undefined
          ? {
              by: restriction.node.feed.device,
              isByRoot: restriction.node.feed.device === authority.genesis.root,
              atMillis: Clock.toMillis(restriction.node.time),
              reason: restriction.fact.reason
            }
          : null
    })
  }
})

const Member = Schema.Struct({
  device: Schema.String,
  name: Schema.String,
  isThis: Schema.Boolean,
  can: Schema.Array(Schema.String),
  revoked: Schema.NullOr(
    Schema.Struct({ by: Schema.String, isByRoot: Schema.Boolean, atMillis: Schema.Finite, reason: Schema.String })
  )
})

export const renderMember = (data: Data): string => {
  const { can, device, isThis, name, revoked } = Schema.decodeUnknownSync(Member)(data)
  const who = `${device.slice(0, 16)}  ${printable(name)}${isThis ? " (this device)" : ""}`
  if (revoked === null) return `${who}  ${can.length === 0 ? "may nothing" : can.map(printable).join(", ")}`
  const by = revoked.isByRoot ? "the recovery words" : revoked.by.slice(0, 10)
  return `${who}  revoked by ${by} at ${time(revoked.atMillis)}${revoked.reason === "" ? "" : `: ${printable(revoked.reason)}`}`
}

export const revoke = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"DeviceRevoke">, voice: Voice) {
  const replica = yield* office.replica
  const device = yield* Person.device(replica, errand.device)
  const { reason } = errand
  if (reason.length > reasonCharactersMax) {
    return yield* Problem.make("ReasonInvalid", {
      what: `a reason of ${reason.length} characters`,
      allowed: `at most ${reasonCharactersMax}`,
      isUsage: true
    })
  }
  const { result } = yield* Governing.perform(replica, office.keys.device, { _tag: "Revoke", device, reason })
  const cut = result.facts.flatMap((fact) => (fact._tag === "Revoke" ? fact.cut : []))
  yield* voice.data({
    device,
    reason,
    kept: cut.reduce((sum, { seq }) => sum + seq + 1, 0),
    isThis: device === office.keys.device
  })
})

const Revoked = Schema.Struct({ device: Schema.String, kept: Schema.Finite, isThis: Schema.Boolean })

export const renderRevoked = (data: Data): string => {
  const { device, isThis, kept } = Schema.decodeUnknownSync(Revoked)(data)
  const what = `revoked ${device.slice(0, 10)}; its ${count(kept, "entry", "entries")} known here ${kept === 1 ? "stays" : "stay"}, later ones count nowhere`
  return isThis ? `${what}. This was the device itself: start anew in a fresh directory to come back` : what
}
