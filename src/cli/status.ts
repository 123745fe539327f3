/**
 * `aura status`: this device, its space, who else is in it, what is not applied, how large the journal is and how it grows,
 * how far peers are behind, and whether it can do its work; with the reason to look further.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { stat } from "node:fs/promises"
import { names, ownerOf } from "../handlers/node/NodeEffects.ts"
import type { SpaceId } from "../identity/Id.ts"
import * as Revocation from "../runtime/Revocation.ts"
import type { Voice } from "./Control.ts"
import * as Growth from "./Growth.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Revoked from "./Revoked.ts"
import * as RootSeed from "./RootSeed.ts"
import * as Seal from "./seal.ts"
import * as Survey from "./Survey.ts"
import { count, printable, table, time } from "./Text.ts"
import * as Readiness from "./web/Readiness.ts"

export const answer = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const agent = yield* office.agent
  const connected = new Set(agent.links().map((link) => link.connection.peer))
  const seed = yield* RootSeed.read(office)
  const watched = office.watched()
  const readiness = yield* readinessOf(office, agent.replicas()[0]?.space)
  const spaces = agent.replicas().map((replica): Schema.Json => {
    const survey = Survey.of(replica)
    const putOut = Revocation.of(replica.ledger(), agent.device)
    return {
      space: replica.space,
      app: replica.ledger().genesis?.app ?? null,
      ...survey,
      peers: agent.links().map(({ connection, isCaughtUp, lag }) => ({
        device: connection.peer,
        behind: lag(replica.space) ?? null,
        caughtUp: isCaughtUp(replica.space)
      })),
      thisDeviceRevoked: putOut === undefined ? null : Revoked.dataOf(putOut),
      heldUntilMillis: survey.heldUntilMillis ?? null,
      latestMillis: survey.latestMillis ?? null,
      sealed: Seal.summaryOf(replica)
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
    readiness: readiness.map(({ name, ok, reason, sinceMillis }) => ({ name, ok, reason, sinceMillis })),
    journal: {
      kind: office.settings.journal.kind,
      bytes: (yield* journalBytes(office)) ?? null,
      entriesInHour: watched?.growth.within(Growth.hourMillis) ?? null,
      entriesInDay: watched?.growth.within(Growth.dayMillis) ?? null
    },
    spaces
  })
})

/** The server's own, or tried here and now. */
const readinessOf = Effect.fnUntraced(function* (office: Office, space: SpaceId | undefined) {
  const watched = office.watched()
  if (watched !== undefined) return yield* watched.readiness.now
  if (space === undefined) return []
  const { keys, store, time } = office
  const storage = yield* office.storage
  const tried = Effect.flatMap(Readiness.watch({ store, storage, keys, time, space }), ({ now }) => now)
  return yield* Effect.scoped(tried)
})

/** What it takes up where it is kept; undefined where that is not known. */
const journalBytes = Effect.fnUntraced(function* ({ home, keys, settings }: Office) {
  const { kind, owner, url } = settings.journal
  if (kind === "sqlite") {
    const files = ["", "-wal"].map((end) => `${home.path}/${names.journal}${end}`)
    const sizes = yield* Effect.promise(() =>
      Promise.all(
        files.map((file) =>
          stat(file)
            .then(({ size }) => size)
            .catch(() => 0)
        )
      )
    )
    return sizes.reduce((sum, size) => sum + size, 0)
  }
  if (kind === "memory" || url === undefined) return undefined
  const { bytesOf } = yield* Effect.promise(() => import("../handlers/node/PostgresUpkeep.ts"))
  return yield* Effect.orElseSucceed(bytesOf({ url, owner: owner ?? ownerOf(keys.device) }), () => undefined)
})

const Status = Schema.Struct({
  device: Schema.String,
  data: Schema.String,
  serving: Schema.Boolean,
  addresses: Schema.Array(Schema.String),
  recoveryWordsConfirmed: Schema.Boolean,
  peers: Schema.Array(Schema.Struct({ device: Schema.String, address: Schema.String, connected: Schema.Boolean })),
  connections: Schema.Finite,
  readiness: Schema.Array(
    Schema.Struct({ name: Schema.String, ok: Schema.Boolean, reason: Schema.String, sinceMillis: Schema.Finite })
  ),
  journal: Schema.Struct({
    kind: Schema.String,
    bytes: Schema.NullOr(Schema.Finite),
    entriesInHour: Schema.NullOr(Schema.Finite),
    entriesInDay: Schema.NullOr(Schema.Finite)
  }),
  spaces: Schema.Array(
    Schema.Struct({
      space: Schema.String,
      app: Schema.NullOr(Schema.String),
      entries: Schema.Finite,
      peers: Schema.Array(
        Schema.Struct({ device: Schema.String, behind: Schema.NullOr(Schema.Finite), caughtUp: Schema.Boolean })
      ),
      members: Schema.Finite,
      revoked: Schema.Finite,
      quarantined: Schema.Finite,
      waiting: Schema.Finite,
      held: Schema.Finite,
      damaged: Schema.Finite,
      heldUntilMillis: Schema.NullOr(Schema.Finite),
      latestMillis: Schema.NullOr(Schema.Finite),
      sealed: Schema.NullOr(Seal.Summary),
      thisDeviceRevoked: Schema.NullOr(Revoked.Revoked)
    })
  )
})

export const render = (data: Data): string => {
  const status = Schema.decodeUnknownSync(Status)(data)
  const lines: Array<ReadonlyArray<string>> = [
    ["device", status.device],
    ["data", status.data],
    ["server", status.serving ? status.addresses.join(" ") : "not running"],
    ["ready", readyText(status.readiness)],
    ["journal", journalText(status.journal)]
  ]
  for (const space of status.spaces) {
    lines.push(
      ["space", `${space.space} (${printable(space.app ?? "application unknown")})`],
      ["members", space.revoked === 0 ? `${space.members}` : `${space.members}, ${space.revoked} revoked`],
      ["entries", space.latestMillis === null ? "0" : `${space.entries}, the latest of ${time(space.latestMillis)}`]
    )
    if (space.sealed !== null) lines.push(["sealed", Seal.summaryText(space.sealed)])
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
  for (const space of status.spaces)
    for (const { behind, device } of space.peers)
      if (behind !== null && behind > 0)
        lines.push(["behind", `${device.slice(0, 10)} by ${count(behind, "entry", "entries")}`])
  for (const peer of status.peers)
    lines.push(["peer", `${peer.device.slice(0, 10)} at ${peer.address}${peer.connected ? ", connected" : ""}`])
  if (!status.recoveryWordsConfirmed)
    lines.push(["warning", "the recovery words are not confirmed: aura space confirm"])
  return table(lines)
}

const readyText = (readiness: typeof Status.Type.readiness): string => {
  const bad = readiness.filter(({ ok }) => !ok)
  if (readiness.length === 0) return "not tried: there is no space yet"
  if (bad.length === 0) return `yes: ${readiness.map(({ name }) => name).join(", ")}`
  return `NO: ${bad.map(({ name, reason, sinceMillis }) => `${name} since ${time(sinceMillis)}: ${printable(reason)}`).join("; ")}`
}

const journalText = ({ bytes, entriesInDay, entriesInHour, kind }: typeof Status.Type.journal): string =>
  [
    kind,
    ...(bytes === null ? [] : [`${(bytes / 1024).toFixed(0)} KiB`]),
    ...(entriesInHour === null ? [] : [`${count(entriesInHour, "entry", "entries")} in the last hour`]),
    ...(entriesInDay === null ? [] : [`${count(entriesInDay, "entry", "entries")} in the last day`])
  ].join(", ")
