/**
 * `aura sync`: meets every known device once, gives and takes until neither lacks anything, and says how it went.
 *
 * It ends well when at least one device was met, and this one was not put out of the space. `--watch` stays connected instead and tells whenever entries come in. When a
 * server owns the directory, it does the meeting; it is connected to its peers anyway.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { DeviceId } from "../identity/Id.ts"
import type { Agent } from "../runtime/Agent.ts"
import * as Revocation from "../runtime/Revocation.ts"
import type { Replica } from "../runtime/Replica.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import { entriesOf, level } from "./Meeting.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as Revoked from "./Revoked.ts"
import { count } from "./Text.ts"

interface Target {
  readonly device: DeviceId | undefined
  readonly address: string
}

export const answer = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"Sync">, voice: Voice) {
  const agent = yield* office.agent
  const replica = yield* office.replica
  const targets: ReadonlyArray<Target> =
    errand.from === null ? office.settings.peers : [{ device: undefined, address: errand.from }]
  if (targets.length === 0 && !(errand.watch && office.isServing)) {
    return yield* Problem.make("NoPeers", {
      what: "this device knows no other device to sync with",
      do: 'join one with "aura join CODE", or name an address: aura sync --from ADDRESS'
    })
  }
  if (errand.watch) return yield* watch(office, agent, replica, targets, voice)
  const meetings = yield* Effect.forEach(targets, (target) => meet(agent, replica, target, errand.timeoutSeconds), {
    concurrency: 4
  })
  const revoked = Revocation.of(replica.ledger(), agent.device)
  if (revoked !== undefined) return yield* revoked
  const met = meetings.filter(({ ok }) => ok)
  const peers = meetings.map((meeting) => ({ ...meeting }))
  if (met.length > 0) return yield* voice.data({ space: replica.space, entries: entriesOf(replica), peers })
  return yield* Problem.make("NobodyMet", {
    what: "no other device could be met",
    details: meetings.map(({ address, what }) => `${address}: ${what}`),
    do: 'make sure that "aura serve" runs on one of them; what was written here is not lost'
  })
})

interface Meeting {
  readonly device: string
  readonly address: string
  readonly ok: boolean
  readonly received: number
  readonly what: string
}

const meet = (
  agent: Agent["Service"],
  replica: Replica,
  target: Target,
  timeoutSeconds: number
): Effect.Effect<Meeting> =>
  Effect.gen(function* () {
    const before = entriesOf(replica)
    const link = yield* Effect.result(
      agent.connect(target.address, target.device, { spaces: new Set([replica.space]) })
    )
    if (Result.isFailure(link)) {
      return {
        device: target.device ?? "",
        address: target.address,
        ok: false,
        received: 0,
        what: link.failure.message
      }
    }
    const done = yield* level(link.success, replica, agent.device, timeoutSeconds)
    const ok = Option.isSome(done)
    return {
      device: link.success.connection.peer,
      address: target.address,
      ok,
      received: entriesOf(replica) - before,
      what: ok
        ? "level"
        : `not level within ${timeoutSeconds} s: it may not let this device read the space, or lacks part of it`
    }
  }).pipe(Effect.scoped)

const watch = Effect.fnUntraced(function* (
  office: Office,
  agent: Agent["Service"],
  replica: Replica,
  targets: ReadonlyArray<Target>,
  voice: Voice
) {
  if (!office.isServing) for (const { address, device } of targets) yield* agent.stayConnected(address, device)
  yield* voice.note("connected as long as this runs; Ctrl-C stops")
  let told = -1
  for (;;) {
    const entries = entriesOf(replica)
    const putOut = Revocation.of(replica.ledger(), agent.device)
    const revoked = putOut === undefined ? null : Revoked.dataOf(putOut)
    if (entries !== told)
      yield* voice.data({ space: replica.space, entries, connections: agent.links().length, revoked })
    told = entries
    yield* Effect.sleep(watchMillis)
  }
})

/** Changes are told at most this often. */
const watchMillis = 250

const Synced = Schema.Struct({
  entries: Schema.Finite,
  connections: Schema.optionalKey(Schema.Finite),
  revoked: Schema.optionalKey(Schema.NullOr(Revoked.Revoked)),
  peers: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        device: Schema.String,
        address: Schema.String,
        ok: Schema.Boolean,
        received: Schema.Finite,
        what: Schema.String
      })
    )
  )
})

export const render = (data: Data): string => {
  const { connections = 0, entries, peers, revoked = null } = Schema.decodeUnknownSync(Synced)(data)
  const here = `${count(entries, "entry", "entries")} here`
  if (revoked !== null) return `${Revoked.sentence(revoked)}\n${Revoked.waysOn}`
  if (peers === undefined) return `${here}, ${count(connections, "connection")}`
  const lines = peers.map(({ address, device, ok, received, what }) =>
    ok
      ? `${device.slice(0, 10)} at ${address}: level, ${count(received, "entry", "entries")} received`
      : `${address}: ${what}`
  )
  return [...lines, here].join("\n")
}
