/** `aura status`: this device, its space, who else is in it, and what is not applied, with the reason to look further. */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { short } from "../identity/Id.ts"
import type { Voice } from "./Control.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as RootSeed from "./RootSeed.ts"
import * as Survey from "./Survey.ts"
import { count, printable, table, time } from "./Text.ts"

export const answer = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const agent = yield* office.agent
  const connected = new Set(agent.links().map((link) => link.connection.peer))
  const seed = yield* RootSeed.read(office)
  const spaces = agent.replicas().map((replica): Schema.Json => {
    const survey = Survey.of(replica)
    return {
      space: replica.space,
      app: replica.ledger().genesis?.app ?? null,
      ...survey,
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

interface Shown {
  readonly device: string
  readonly data: string
  readonly serving: boolean
  readonly addresses: ReadonlyArray<string>
  readonly recoveryWordsConfirmed: boolean
  readonly peers: ReadonlyArray<{ readonly device: string; readonly address: string; readonly connected: boolean }>
  readonly connections: number
  readonly spaces: ReadonlyArray<
    Omit<Survey.Survey, "heldUntilMillis" | "latestMillis"> & {
      readonly space: string
      readonly app: string | null
      readonly heldUntilMillis: number | null
      readonly latestMillis: number | null
    }
  >
}
