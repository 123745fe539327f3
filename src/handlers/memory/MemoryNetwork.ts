/**
 * Connections inside one process: a hub to which the agents of tests, simulations and demonstrations plug in.
 *
 * Keeps the contract of effects/Network.ts to the letter (order, back-pressure, refusal of another device, reasons of
 * closing) and is deterministic: no promise, no timer, no chance; the same calls in the same order give the same
 * connections with the same channel keys. A simulation puts a `Wire` between the ends; without one a frame is at the
 * other end when `send` returns.
 *
 * Nothing is encrypted and nobody proves anything: who holds the hub is everybody, a device is who its layer says it
 * is. Channel keys are hashes of a counter: distinct per connection, equal at both ends, secret from no one.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import {
  AddressInvalid,
  frameBytesMax,
  isExpected,
  named,
  Network,
  NetworkError,
  PeerRefused,
  Unreachable,
  type Expected,
  type Connection
} from "../../effects/Network.ts"
import * as Hash from "../../identity/Hash.ts"
import { short, toBytes, type DeviceId } from "../../identity/Id.ts"
import * as Mailbox from "../shared/Mailbox.ts"

/** Frames under way in one direction before `send` waits. */
export const framesQueuedMax = 64

/** Bytes under way in one direction before `send` waits; the frame that crosses the line is still taken. */
export const bytesQueuedMax = 2 * 1024 * 1024

/** Connections that wait for `accept` before further ones are turned away. */
export const backlogMax = 64

/**
 * What a simulation does to connections. They are ordered and reliable or dead, so faults are delay, silence and
 * break; loss and reordering of datagrams lie below. Runs in the fibers of the two ends, which may wait and draw
 * from Effect's Clock and Random.
 */
export interface Wire {
  /** Before a connection exists. Success opens it, whenever that is; failure is `Unreachable` with the text. */
  readonly dial: (from: DeviceId, to: DeviceId) => Effect.Effect<void, string>
  /**
   * Runs when a frame (or, with 0 bytes, a farewell) leaves. What it returns runs at the other end, one frame of a
   * direction after the other: success lets it arrive, failure breaks the connection at both ends with the text,
   * never ending is a silent link.
   */
  readonly carry: (from: DeviceId, to: DeviceId, bytes: number) => Effect.Effect<Effect.Effect<void, string>>
}

export interface Hub {
  /** Breaks every open connection between the two devices, at both ends at once; returns how many there were. */
  readonly sever: (one: DeviceId, other: DeviceId, reason: string) => number
  readonly [plug]: (device: DeviceId, address: string | undefined) => Plug | undefined
}

/** A device's place at the hub. */
export interface Plug {
  readonly dial: (address: string, expected: Expected | undefined) => Effect.Effect<End, NetworkError>
  readonly next: Effect.Effect<End>
  readonly unplug: Effect.Effect<void>
}

/** One side of a connection; `deliver` moves what arrives and runs as long as the side lives. */
export interface End {
  readonly connection: Connection
  readonly deliver: Effect.Effect<void>
}

const plug: unique symbol = Symbol("aura/MemoryNetwork/plug")

type Cargo =
  | { readonly _tag: "Frame"; readonly frame: Uint8Array; readonly arrival: Effect.Effect<void, string> }
  | { readonly _tag: "Farewell"; readonly reason: string; readonly arrival: Effect.Effect<void, string> }

/** A plugged-in device: the connections that wait for its `accept`, and all of its open sides. */
interface Place {
  readonly device: DeviceId
  readonly backlog: Mailbox.Mailbox<End>
  readonly open: Set<End>
}

interface Link {
  readonly initiator: DeviceId
  readonly acceptor: DeviceId
  readonly sever: (reason: string) => void
}

const allowedAddress = "the name another agent listens on: 1 to 200 printable characters without spaces"
const isAddress = (address: string): boolean => /^[\x21-\x7e]{1,200}$/u.test(address)
const channelKeyTag = Hash.domain("aura/memory/channel/v1")

export const hub = (options?: { readonly wire?: Wire }): Hub => {
  const wire = options?.wire
  const listeners = new Map<string, Place>()
  const links = new Set<Link>()
  let connections = 0

  const link = (initiator: Place, acceptor: Place, address: string): readonly [End, End] => {
    connections += 1
    const channelKey = Hash.hash(
      channelKeyTag,
      toBytes(initiator.device),
      toBytes(acceptor.device),
      counterBytes(connections)
    )
    const there = lane()
    const back = lane()
    const entry: Link = {
      initiator: initiator.device,
      acceptor: acceptor.device,
      sever: (reason) => {
        for (const mailbox of [there.flight, there.inbox, back.flight, back.inbox]) mailbox.drop(reason, reason)
        ended(initiator, first)
        ended(acceptor, second)
      }
    }
    const ended = (place: Place, end: End): void => {
      place.open.delete(end)
      if (!initiator.open.has(first) && !acceptor.open.has(second)) links.delete(entry)
    }
    const makeEnd = (self: Place, peer: Place, initiates: boolean): End => {
      const [out, into] = initiates ? [there, back] : [back, there]
      const finished = (): void => ended(self, initiates ? first : second)
      return {
        connection: {
          peer: peer.device,
          channelKey: channelKey.slice(),
          address: initiates ? address : `memory:${short(peer.device)}`,
          initiator: initiates,
          send: (frame) => {
            if (frame.length > frameBytesMax) {
              return Effect.die(new RangeError(`a frame has at most ${frameBytesMax} bytes, not ${frame.length}`))
            }
            if (wire === undefined)
              return out.inbox.offer(
                Effect.sync(() => frame.slice()),
                frame.length
              )
            const depart = Effect.map(wire.carry(self.device, peer.device, frame.length), (arrival): Cargo => {
              return { _tag: "Frame", frame: frame.slice(), arrival }
            })
            return out.flight.offer(depart, frame.length)
          },
          receive: into.inbox.take,
          close: (reason) =>
            Effect.suspend(() => {
              const here = Mailbox.closedHere(reason)
              const byPeer = Mailbox.closedByPeer(reason)
              into.inbox.drop(here, byPeer)
              finished()
              if (wire === undefined) {
                out.inbox.end(byPeer, here)
                return Effect.void
              }
              return Effect.map(wire.carry(self.device, peer.device, 0), (arrival) => {
                out.flight.push({ _tag: "Farewell", reason, arrival }, 0)
                out.flight.end(here, here)
              })
            })
        },
        deliver: wire === undefined ? Effect.void : deliver(into, out, finished, entry.sever)
      }
    }
    const first = makeEnd(initiator, acceptor, true)
    const second = makeEnd(acceptor, initiator, false)
    initiator.open.add(first)
    acceptor.open.add(second)
    links.add(entry)
    return [first, second]
  }

  const dial = Effect.fnUntraced(function* (self: Place, address: string, expected: Expected | undefined) {
    if (!isAddress(address)) {
      return yield* new NetworkError({ reason: new AddressInvalid({ address, allowed: allowedAddress }) })
    }
    const unreachable = (what: string) => new NetworkError({ reason: new Unreachable({ address, what }) })
    const wanted = listeners.get(address)
    if (wanted === undefined) return yield* unreachable("nobody listens there")
    if (wire !== undefined) yield* Effect.mapError(wire.dial(self.device, wanted.device), unreachable)
    const listener = listeners.get(address)
    if (listener === undefined) return yield* unreachable("nobody listens there any more")
    const refused = refusal(self.device, listener.device, expected)
    if (refused !== undefined) {
      return yield* new NetworkError({ reason: new PeerRefused({ address, found: listener.device, ...refused }) })
    }
    if (!listener.backlog.hasRoom()) return yield* unreachable("too many connections wait there")
    const [here, there] = link(self, listener, address)
    listener.backlog.push(there, 0)
    return here
  })

  return {
    sever: (one, other, reason) => {
      const between = [...links].filter(
        ({ acceptor, initiator }) =>
          (initiator === one && acceptor === other) || (initiator === other && acceptor === one)
      )
      for (const each of between) each.sever(reason)
      return between.length
    },
    [plug]: (device, address) => {
      if (address !== undefined && listeners.has(address)) return undefined
      const backlog = Mailbox.make<End>({ itemsMax: backlogMax, bytesMax: Infinity })
      const self: Place = { device, backlog, open: new Set() }
      if (address !== undefined) listeners.set(address, self)
      return {
        dial: (to, expected) => dial(self, to, expected),
        // A backlog never ends: who waits for it is interrupted with its agent.
        next: Effect.orDie(backlog.take),
        unplug: Effect.suspend(() => {
          if (address !== undefined) listeners.delete(address)
          return Effect.forEach([...self.open], ({ connection }) => connection.close("the device stopped"), {
            discard: true
          })
        })
      }
    }
  }
}

/** The network of `device` at the hub; with an `address` others reach it there, without one it only dials. */
export const layer = (
  atHub: Hub,
  options: { readonly device: DeviceId; readonly address?: string }
): Layer.Layer<Network, NetworkError> =>
  Layer.effect(
    Network,
    Effect.gen(function* () {
      const { address, device } = options
      const taken = () =>
        new NetworkError({
          reason: new AddressInvalid({ address: address ?? "", allowed: `${allowedAddress}, once per hub` })
        })
      if (address !== undefined && !isAddress(address)) return yield* taken()
      const place = yield* Effect.acquireRelease(
        Effect.suspend(() => {
          const found = atHub[plug](device, address)
          return found === undefined ? Effect.fail(taken()) : Effect.succeed(found)
        }),
        ({ unplug }) => unplug
      )
      return Network.of({
        connect: (to, expected) => open(place.dial(to, expected)),
        accept: open(place.next),
        addresses: () => (address === undefined ? [] : [address])
      })
    })
  )

const open = <E>(end: Effect.Effect<End, E>): Effect.Effect<Connection, E, Scope.Scope> =>
  Effect.acquireRelease(end, ({ connection }) => connection.close("no longer needed"), { interruptible: true }).pipe(
    Effect.tap(({ deliver }) => Effect.forkScoped(deliver)),
    Effect.map(({ connection }) => connection)
  )

const refusal = (device: DeviceId, found: DeviceId, expected: Expected | undefined) => {
  if (!isExpected(expected, found)) return { what: "another device answers there", ...named(expected) }
  return found === device ? { what: "this device itself answers there" } : undefined
}

/** What is under way to one end, and what has arrived there; without a wire nothing is ever under way. */
const lane = () => {
  const limits = { itemsMax: framesQueuedMax, bytesMax: bytesQueuedMax }
  return { flight: Mailbox.make<Cargo>(limits), inbox: Mailbox.make<Uint8Array>(limits) }
}

const deliver = (
  into: ReturnType<typeof lane>,
  out: ReturnType<typeof lane>,
  finished: () => void,
  sever: (reason: string) => void
): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (true) {
      const cargo = yield* into.flight.head
      yield* cargo.arrival
      if (cargo._tag === "Farewell") {
        const reason = Mailbox.closedByPeer(cargo.reason)
        out.flight.end(reason, reason)
        into.inbox.end(reason, reason)
        return finished()
      }
      // An inbox that its owner closed takes nothing more: like a real one it reads on, to find the farewell.
      yield* Effect.ignore(into.inbox.offer(Effect.succeed(cargo.frame), cargo.frame.length))
      into.flight.shift()
    }
  }).pipe(Effect.catch((broken) => Effect.sync(() => (typeof broken === "string" ? sever(broken) : undefined))))

const counterBytes = (count: number): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(count))
  return bytes
}
