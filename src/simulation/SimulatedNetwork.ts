/**
 * The network of a simulated world: the contract of effects/Network.ts over links that delay, stall and break.
 *
 * A connection is ordered and reliable or dead, as a sealed channel over TCP is, so faults of packets show like this:
 *
 *   delay, jitter, bandwidth   frames arrive later, never out of order
 *   a cut link (per direction) frames stall; they go on when it heals in time, else the connection breaks
 *   loss                       the connection breaks in mid-stream: this frame and all later ones, both ways, are gone
 *   corruption, duplication,   the receiving end does not accept the frame and the connection ends at both ends: that
 *   reordering                 is what the channel is for
 *   a crashed host             its ends vanish; a break for the others
 *
 * After a break each end learns of it by itself, sometimes a minute later: until then it is half-open, and what it
 * sends is taken and lost. After an orderly `close` the peer reads what was sent before and then the reason.
 *
 * Addresses are `sim:<name>`. Keys are not proved here: a host is the device it says it is. A liar is attached like
 * anybody else, under a key of its own, and may send what no honest sender would (frames beyond the limit).
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { AddressInvalid, Network, NetworkError, PeerRefused, Unreachable, type Connection } from "../effects/Network.ts"
import type { DeviceId } from "../identity/Id.ts"
import type { Span } from "./Chance.ts"
import * as Links from "./Links.ts"
import type { Process } from "./Process.ts"
import * as Wires from "./Wires.ts"
import type { World } from "./World.ts"

export interface SimulatedNetwork {
  /** Plugs a process in under its name until it is killed or the scope closes. One at a time per name. */
  readonly attach: (
    process: Process,
    device: DeviceId,
    options?: { readonly liar?: boolean }
  ) => Effect.Effect<Network["Service"], never, Scope.Scope>
  /** For what leaves from now on. */
  readonly setLink: (from: string, to: string, conditions: Links.Conditions) => void
  /** Cuts one direction. */
  readonly cut: (from: string, to: string) => void
  /** Cuts both directions between hosts of different groups; a host in no group is alone. */
  readonly partition: (groups: ReadonlyArray<ReadonlyArray<string>>) => void
  /** Undoes every cut; links stay as good or bad as they are. */
  readonly mend: () => void
  /** Undoes every cut and makes every link calm. Connections that are broken already stay so until noticed. */
  readonly heal: () => void
  /** Breaks all connections between two hosts; returns how many. */
  readonly sever: (one: string, other: string) => number
}

/** Connections that wait for `accept` before further ones are turned away. */
export const backlogMax = 64

/** How long an attempt over a cut link takes to fail. */
export const dialTimeoutMillis: Span = { min: 3_000, max: 10_000 }

interface Host extends Wires.Holder {
  readonly backlog: Array<Connection>
  readonly acceptors: Wires.Waiters
}

export const make = (world: World): SimulatedNetwork => {
  const chance = world.chance("network")
  const links = Links.make()
  const wires = Wires.make(world, links)
  const hosts = new Map<string, Host>()

  const dial = Effect.fnUntraced(function* (from: Host, address: string, expected: Expected, wait: Wait) {
    const name = nameOf(address)
    if (name === undefined)
      return yield* failed(new AddressInvalid({ address, allowed: "sim: and the name of a host" }))
    const unreachable = (what: string) => failed(new Unreachable({ address, what }))
    const isBlocked = (): boolean => links.isCut(from.name, name) || links.isCut(name, from.name)
    const [there, back] = [links.conditions(from.name, name), links.conditions(name, from.name)]
    if (isBlocked() || chance.happens(there.refusedShare)) {
      yield* wait(Effect.sleep(chance.millis(dialTimeoutMillis)))
      return yield* unreachable("nobody answers")
    }
    // The proof of both keys takes a message more than a round trip.
    yield* wait(Effect.sleep(2 * chance.millis(there.latencyMillis) + chance.millis(back.latencyMillis)))
    if (isBlocked()) return yield* unreachable("the link was cut")
    const to = hosts.get(name)
    if (to === undefined) return yield* unreachable("nobody listens there")
    const refusal = refusalOf(from.device, to.device, expected)
    if (refusal !== undefined) return yield* failed(new PeerRefused({ address, found: to.device, ...refusal }))
    if (to.backlog.length >= backlogMax) return yield* unreachable("too many connections wait there")
    const [near, far] = wires.join(from, to)
    to.backlog.push(far)
    to.acceptors.wake()
    return near
  })
  const next = Effect.fnUntraced(function* (host: Host, wait: Wait) {
    while (true) {
      const connection = host.backlog.shift()
      if (connection !== undefined) return connection
      yield* wait(host.acceptors.until(() => host.backlog.length > 0))
    }
  })
  const attach = Effect.fnUntraced(function* (
    process: Process,
    device: DeviceId,
    options?: { readonly liar?: boolean }
  ) {
    const { name } = process
    if (hosts.has(name)) return yield* Effect.die(new Error(`${name} is attached already`))
    const address = addressOf(name)
    const acceptors = Wires.makeWaiters(process)
    const host: Host = { name, address, device, process, liar: options?.liar === true, backlog: [], acceptors }
    hosts.set(name, host)
    const detach = (): void => {
      if (hosts.get(name) === host) hosts.delete(name)
    }
    const forget = process.onKill(() => {
      detach()
      wires.breakWhere((one, other) => one === name || other === name, `${name} crashed`)
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        forget()
        detach()
        wires.hangUp(name, "the device stopped")
      })
    )
    return Network.of({
      connect: (to, expected) => opened((wait) => dial(host, to, expected, wait)),
      accept: opened((wait) => next(host, wait)),
      addresses: () => [address]
    })
  })

  return {
    attach,
    setLink: links.set,
    cut: (from, to) => {
      links.cut(from, to)
      world.trace("network", `${Links.arrow(from, to)} is cut`)
    },
    partition: (groups) => {
      links.partition(groups, hosts.keys())
      world.trace("network", `is split: ${groups.map((group) => group.join(" ")).join(" | ")}`)
    },
    mend: () => {
      links.mend()
      world.trace("network", "is mended")
      wires.resume()
    },
    heal: () => {
      links.mend()
      links.reset()
      world.trace("network", "is healed")
      wires.resume()
    },
    sever: (one, other) =>
      wires.breakWhere(
        (near, far) => (near === one && far === other) || (near === other && far === one),
        `${one} and ${other} are severed`
      )
  }
}

const scheme = "sim:"

/** Where others reach the host of this name. */
export const addressOf = (name: string): string => `${scheme}${name}`

const nameOf = (address: string): string | undefined =>
  address.startsWith(scheme) && address.length > scheme.length ? address.slice(scheme.length) : undefined

/** Makes a wait interruptible inside what otherwise is not. */
type Wait = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

/** Only its waits can be interrupted, so no connection is made that nobody has to close. */
const opened = <E>(acquire: (wait: Wait) => Effect.Effect<Connection, E>): Effect.Effect<Connection, E, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.tap(acquire(restore), ({ close }) => Effect.addFinalizer(() => close("no longer needed")))
  )

/** Whom a caller of `connect` wants to meet: anybody, one device, or one of which something holds. */
type Expected = Parameters<Network["Service"]["connect"]>[1]

const refusalOf = (own: DeviceId, found: DeviceId, expected: Expected) => {
  if (found === own) return { what: "this device itself answers there" }
  const what = "another device answers there"
  if (typeof expected === "function") return expected(found) ? undefined : { what }
  return expected === undefined || expected === found ? undefined : { what, expected }
}

const failed = (reason: NetworkError["reason"]): Effect.Effect<never, NetworkError> =>
  Effect.fail(new NetworkError({ reason }))
