/** `aura device list`: who is in the space, with which role, rights and trust, and who was put out by whom. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Clock from "../journal/Clock.ts"
import * as Authority from "../trust/Authority.ts"
import * as Role from "../trust/Role.ts"
import type { Voice } from "./Control.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import { printable, time } from "./Text.ts"

export const list = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const replica = yield* office.replica
  const { authority } = replica.ledger()
  if (authority === undefined) return
  const view = Authority.present(authority)
  const definition = Authority.definitions(authority).at(-1)
  for (const { device, name, revoked } of Authority.members(authority)) {
    const restriction = Authority.revocations(authority, device)[0]
    const held = Authority.rights(authority, view, device)
    const { level, value } = Authority.trustIn(authority, view, device)
    yield* voice.data({
      device,
      name,
      isThis: device === office.keys.device,
      role: Role.nameOf(definition, held) ?? null,
      can: [...new Set(held.map(({ capability }) => capability))],
      trust: { level, value },
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
  role: Schema.NullOr(Schema.String),
  can: Schema.Array(Schema.String),
  trust: Schema.Struct({ level: Schema.String }),
  revoked: Schema.NullOr(
    Schema.Struct({ by: Schema.String, isByRoot: Schema.Boolean, atMillis: Schema.Finite, reason: Schema.String })
  )
})

export const renderMember = (data: Data): string => {
  const { can, device, isThis, name, revoked, role, trust } = Schema.decodeUnknownSync(Member)(data)
  const who = `${device.slice(0, 16)}  ${printable(name)}${isThis ? " (this device)" : ""}`
  const rights = can.length === 0 ? "may nothing" : can.map(printable).join(", ")
  const trusted = trust.level === "None" ? "" : `  trusted ${trust.level}`
  if (revoked === null) return `${who}  ${role === null ? rights : `${role} (${rights})`}${trusted}`
  const by = revoked.isByRoot ? "the recovery words" : revoked.by.slice(0, 10)
  return `${who}  revoked by ${by} at ${time(revoked.atMillis)}${revoked.reason === "" ? "" : `: ${printable(revoked.reason)}`}`
}
