/** `aura status`: this device, its space, who else is in it, and what is not applied, with the reason to look further. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Revocation from "../runtime/Revocation.ts"
import type { Voice } from "./Control.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Revoked from "./Revoked.ts"
import * as RootSeed from "./RootSeed.ts"
import * as Survey from "./Survey.ts"
import { count, printable, table, time } from "./Text.ts"

export const answer = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const agent = yield* office.agent
  const connected = new Set(agent.links().map((link) => link.connection.peer))
  const seed = yield* RootSeed.read(office)
  const spaces = agent.replicas().map((replica): Schema.Json => {
    const survey = Survey.of(replica)
    const putOut = Revocation.of(replica.ledger(), agent.device)
    return {
      space: replica.space,
      app: replica.ledger().genesis?.app ?? null,
      ...survey,
      thisDeviceRevoked: putOut === undefined ? null : Revoked.dataOf(putOut),
      heldUntilMillis: survey.heldUntilMillis ?? null,
      latestMillis: survey.latestMillis ?? null
    }
  })
  yield* voice.data({
    device: agent.device,
    name: office.settings.name,
    data: office.home.path,
    serving: office.isServing,
    addresses: agent.addresses(),
    recoveryWordsConfirmed: seed === undefined,
    peers: office.settings.peers.map(({ address, device }) => ({ device, address, connected: connected.has(device) })),
    connections: agent.links().length,
    spaces
  })
})

const Status = Schema.Struct({
  device: Schema.String,
  data: Schema.String,
  serving: Schema.Boolean,
  addresses: Schema.Array(Schema.String),
  recoveryWordsConfirmed: Schema.Boolean,
  peers: Schema.Array(Schema.Struct({ device: Schema.String, address: Schema.String, connected: Schema.Boolean })),
  connections: Schema.Finite,
  spaces: Schema.Array(
    Schema.Struct({
      space: Schema.String,
      app: Schema.NullOr(Schema.String),
      entries: Schema.Finite,
      members: Schema.Finite,
      revoked: Schema.Finite,
      quarantined: Schema.Finite,
      waiting: Schema.Finite,
      held: Schema.Finite,
      damaged: Schema.Finite,
      heldUntilMillis: Schema.NullOr(Schema.Finite),
      latestMillis: Schema.NullOr(Schema.Finite),
      thisDeviceRevoked: Schema.NullOr(Revoked.Revoked)
    })
  )
})

export const render = (data: Data): string => {
  const status = Schema.decodeUnknownSync(Status)(data)
  const lines: Array<ReadonlyArray<string>> = [
    ["device", status.device],
    ["data", status.data],
    ["server", status.serving ? status.addresses.join(" ") : "not running"]
  ]
  for (const space of status.spaces) {
    lines.push(
      ["space", `${space.space} (${printable(space.app ?? "application unknown")})`],
      ["members", space.revoked === 0 ? `${space.members}` : `${space.members}, ${space.revoked} revoked`],
      ["entries", space.latestMillis === null ? "0" : `${space.entries}, the latest of ${time(space.latestMillis)}`]
    )
    if (space.thisDeviceRevoked !== null)
      lines.push(["revoked", `this device, ${Revoked.words(space.thisDeviceRevoked)}`], ["", Revoked.waysOn])
    const aside = [
      [space.quarantined, "quarantined"],
      [space.waiting, "waiting"],
      [space.held, "held"],
      [space.damaged, "damaged"]
    ] as const
    for (const [amount, what] of aside) {
      const until = what === "held" && space.heldUntilMillis !== null ? ` until ${time(space.heldUntilMillis)}` : ""
      if (amount > 0) lines.push([what, `${count(amount, "entry", "entries")}${until}: see aura journal log`])
    }
  }
  for (const peer of status.peers)
    lines.push(["peer", `${peer.device.slice(0, 10)} at ${peer.address}${peer.connected ? ", connected" : ""}`])
  if (!status.recoveryWordsConfirmed)
    lines.push(["warning", "the recovery words are not confirmed: aura space confirm"])
  return table(lines)
}
