/**
 * Several devices of one space in one process, all of them writing, each connected to the first, which relays. Devices
 * that join are put out again, one after the other.
 *
 *     the revoker ── the first ── the others, and whoever joined last
 *
 * The revoker is no neighbour of those that it puts out: its word travels twice, and by then the others hold entries
 * behind the cut, which they have to take back. Every device writes at the same pace; one that is put out stops when its
 * own replica refuses. What a revocation is, and whether it has taken effect, says authority.ts.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as MemoryNetwork from "../src/handlers/memory/MemoryNetwork.ts"
import { Aura } from "../src/index.ts"
import { ending, isEnded } from "./authority.ts"
import { app, freePort, memoryEffects, root, until, webSocketEffects, type Effects, type Open } from "./ours.ts"
import { batches } from "./workload.ts"

/** Devices that stay, the first and the revoker among them. */
const stayingCount = 6
/** What each device writes: so many at once, so often. Of seven devices these are 3 500 entries a second at most. */
const writesAtOnce = 8
const paceMillis = 16
/** Each device writes its own keys again and again, so that the state stays as large as it is. */
const keysCount = 500
/** How long a device lives on between joining and being put out, writing. */
const livesMillis = 150

export type Network = "memory" | "loopback"

export interface Household {
  /** Lets a device join and write, puts it out, and says after how many milliseconds each device, itself too, acted on it. */
  readonly putOut: () => Promise<ReadonlyArray<number>>
  readonly close: () => Promise<void>
}

/** With a past, the space holds the workload of 20 000 entries before the others join. */
export const household = async (network: Network, { past }: { readonly past: boolean }): Promise<Household> => {
  const { address, effects } = await place(network)
  const first = await Aura.open({ app, effects: effects(1), found: { root } })
  for (const batch of past ? batches : []) {
    await Promise.all(batch.map(({ key, value }) => first.perform("set", { key, value })))
  }
  let joined = 1
  const join = async (): Promise<Open> => {
    const code = await first.pair({ address })
    joined += 1
    return Aura.open({ app, effects: effects(joined), join: { code, name: `device ${joined}` } })
  }
  const members = [first]
  while (members.length < stayingCount) members.push(await join())
  const stops = members.map(keepWriting)
  const revoker = members[1]!
  return {
    putOut: async () => {
      const guest = await join()
      const stop = keepWriting(guest)
      await pause(livesMillis)
      const begin = performance.now()
      const told = Promise.all([...members, guest].map((member) => actsOn(member, guest.device, begin)))
      await revoke(revoker, guest.device)
      const millis = await told
      stop()
      await guest.close()
      return millis
    },
    close: async () => {
      for (const stop of stops) stop()
      for (const member of members.toReversed()) await member.close()
    }
  }
}

const place = async (
  network: Network
): Promise<{ readonly address: string; readonly effects: (seed: number) => Effects }> => {
  if (network === "loopback") {
    const port = await freePort()
    return {
      address: `ws://127.0.0.1:${port}`,
      effects: (seed) => webSocketEffects(seed, seed === 1 ? port : undefined)
    }
  }
  const hub = MemoryNetwork.hub()
  return { address: "device1", effects: (seed) => memoryEffects(hub, `device${seed}`, seed) }
}

/** Milliseconds since `begin` until a member's own books put the device out, and its readers were told. */
const actsOn = async (member: Open, device: Open["device"], begin: number): Promise<number> => {
  let after: number | undefined
  const stop = member.replica.listen(() => {
    if (after === undefined && isEnded(member.replica.ledger(), device)) after = performance.now() - begin
  })
  await until(() => after !== undefined)
  stop()
  return after!
}

const revoke = (by: Open, device: Open["device"]): Promise<unknown> =>
  Effect.runPromise(
    by.replica.write({
      kind: "authority",
      request: undefined,
      prepare: ({ ledger }) =>
        Result.succeed({ definition: undefined, facts: [ending(ledger, device)], answer: undefined })
    })
  )

/** Writes at a pace until stopped, or until the device is put out. Returns what stops it. */
const keepWriting = (of: Open): (() => void) => {
  let written = 0
  const timer = setInterval(() => {
    for (let i = 0; i < writesAtOnce; i++) {
      const key = `${of.device.slice(0, 6)} ${written++ % keysCount}`
      of.perform("set", { key, value: `value ${written}` }).catch(() => clearInterval(timer))
    }
  }, paceMillis)
  return () => clearInterval(timer)
}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))
