/**
 * Connections of a simulated network, frame by frame.
 *
 * A wire has two ends. What leaves one end stands in line (`flight`) until its arrival, at the earliest after the
 * link's latency and after everything that left before; an arrival before a cut link stands in a second line
 * (`stalled`) until the link heals or the wire breaks. A broken wire carries nothing more, in either direction; each
 * end learns of that by itself, later. Fibers of a process are woken through its queue alone, so no process ever runs
 * inside a step of another one.
 */
import * as Effect from "effect/Effect"
import { ConnectionClosed, frameBytesMax, NetworkError, type Connection } from "../effects/Network.ts"
import type { DeviceId } from "../identity/Id.ts"
import type { Span } from "./Chance.ts"
import type { Links } from "./Links.ts"
import type { Process } from "./Process.ts"
import * as Trace from "./Trace.ts"
import type { World } from "./World.ts"

/** Bytes under way or unread in one direction before `send` waits; the frame that crosses the line is still taken. */
export const windowBytes = 1024 * 1024

/** How long arrivals stand before a cut link until the wire breaks. */
export const stallMillis: Span = { min: 5_000, max: 60_000 }

/** How long an end believes in a broken wire: as a rule until a reset, rarely until a heartbeat fails. */
export const noticeMillis: Span = { min: 0, max: 3_000 }
export const noticeLateMillis: Span = { min: 30_000, max: 90_000 }
const noticeLateShare = 0.15

const reasonCharactersMax = 120

/** What a wire has to know of the host at its end. */
export interface Holder {
  readonly name: string
  readonly address: string
  readonly device: DeviceId
  readonly process: Process
  /** Sends what honest hosts do not send: oversize frames. */
  readonly liar: boolean
}

export interface Wires {
  /** A new wire: the connection as the one who dialled has it, and as the other has it. */
  readonly join: (near: Holder, far: Holder) => readonly [near: Connection, far: Connection]
  /** Breaks the wires that the test selects; returns how many. */
  readonly breakWhere: (isMeant: (one: string, other: string) => boolean, why: string) => number
  /** Lets everything that stands before links that are no longer cut go on. */
  readonly resume: () => void
  /** Closes, in good order, all ends of a host that stops. */
  readonly hangUp: (name: string, reason: string) => void
}

type Cargo =
  { readonly _tag: "Frame"; readonly bytes: Uint8Array } | { readonly _tag: "Farewell"; readonly reason: string }

interface Wire {
  readonly id: number
  readonly near: End
  readonly far: End
  broken: boolean
}

interface End {
  readonly host: Holder
  readonly wire: () => Wire
  readonly other: () => End
  readonly flight: Array<Cargo>
  readonly stalled: Array<Cargo>
  readonly inbox: Array<Uint8Array>
  readonly readers: Waiters
  readonly senders: Waiters
  /** Sent from here and not yet read at the other end, as far as this end knows. */
  outstandingBytes: number
  /** No arrival at the other end before this instant. */
  clearAtMillis: number
  /** Why this end knows the connection to be over. */
  closed: string | undefined
}

export const make = (world: World, links: Links): Wires => {
  const chance = world.chance("wires")
  const wires = new Set<Wire>()
  let wiresMade = 0

  const end = (self: End, reason: string): void => {
    if (self.closed !== undefined) return
    self.closed = reason
    const wire = self.wire()
    world.trace(self.host.name, `connection ${wire.id} ends: ${reason}`)
    if (self.other().closed !== undefined) wires.delete(wire)
    self.readers.wake()
    self.senders.wake()
  }
  const breakWire = (wire: Wire, why: string): void => {
    if (wire.broken) return
    wire.broken = true
    wires.delete(wire)
    world.trace("network", `connection ${wire.id} breaks: ${why}`)
    for (const one of [wire.near, wire.far]) {
      const late = chance.happens(noticeLateShare)
      const delayMillis = chance.millis(late ? noticeLateMillis : noticeMillis)
      world.after(delayMillis, () => {
        if (one.host.process.isAlive()) end(one, "the network broke it")
      })
    }
  }
  const depart = (from: End, cargo: Cargo): void => {
    const wire = from.wire()
    if (wire.broken) return
    const link = links.conditions(from.host.name, from.other().host.name)
    if (chance.happens(link.brokenShare)) return breakWire(wire, "a frame was lost")
    const bytes = cargo._tag === "Frame" ? cargo.bytes.length : 0
    const earliest = world.now() + chance.millis(link.latencyMillis)
    from.clearAtMillis = Math.max(from.clearAtMillis, earliest) + bytes / link.bytesPerMilli
    from.flight.push(cargo)
    world.after(from.clearAtMillis - world.now(), () => arrive(from))
  }
  /** The oldest in flight, whichever timer this is: several of one instant come in any order. */
  const arrive = (from: End): void => {
    const cargo = from.flight.shift()
    if (cargo === undefined || from.wire().broken) return
    const isCut = links.isCut(from.host.name, from.other().host.name)
    if (!isCut && from.stalled.length === 0) return land(from, cargo)
    from.stalled.push(cargo)
    if (from.stalled.length > 1) return
    world.after(chance.millis(stallMillis), () => {
      if (from.stalled[0] === cargo) breakWire(from.wire(), "the link stayed cut")
    })
  }
  const land = (from: End, cargo: Cargo): void => {
    const to = from.other()
    if (cargo._tag === "Farewell") return end(to, closedByPeer(cargo.reason))
    if (to.closed !== undefined || !to.host.process.isAlive()) return
    const refusal = refuse(cargo.bytes, links.conditions(from.host.name, to.host.name).tamperedShare)
    if (refusal !== undefined) return spoil(from, to, refusal)
    world.trace(to.host.name, `connection ${to.wire().id} receives ${Trace.nameOf(cargo.bytes)}`)
    to.inbox.push(cargo.bytes)
    to.readers.wake()
  }
  const refuse = (bytes: Uint8Array, tamperedShare: number): string | undefined => {
    if (bytes.length > frameBytesMax) return "a frame is too large"
    return chance.happens(tamperedShare) ? chance.pick(tamperings) : undefined
  }
  /** The channel at `to` does not accept a frame and ends the connection; `from` hears of it. */
  const spoil = (from: End, to: End, refusal: string): void => {
    const wire = from.wire()
    wire.broken = true
    wires.delete(wire)
    end(to, refusal)
    world.after(latency(to, from), () => {
      if (from.host.process.isAlive()) end(from, closedByPeer(refusal))
    })
  }
  const latency = (from: End, to: End): number =>
    chance.millis(links.conditions(from.host.name, to.host.name).latencyMillis)

  const send = Effect.fnUntraced(function* (self: End, frame: Uint8Array) {
    if (frame.length > frameBytesMax && !self.host.liar) {
      return yield* Effect.die(new RangeError(`a frame has at most ${frameBytesMax} bytes, not ${frame.length}`))
    }
    while (self.closed === undefined && self.outstandingBytes >= windowBytes) {
      yield* self.senders.until(() => self.closed !== undefined || self.outstandingBytes < windowBytes)
    }
    if (self.closed !== undefined) return yield* closed(self.closed)
    if (!self.host.process.isAlive()) return yield* Effect.never
    world.trace(self.host.name, `connection ${self.wire().id} sends ${Trace.nameOf(frame)}`)
    self.outstandingBytes += frame.length
    depart(self, { _tag: "Frame", bytes: frame.slice() })
  })
  const receive = (self: End) =>
    Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        while (true) {
          const frame = self.inbox.shift()
          if (frame !== undefined) {
            const to = self.other()
            world.after(latency(self, to), () => {
              to.outstandingBytes -= frame.length
              to.senders.wake()
            })
            return frame
          }
          if (self.closed !== undefined) return yield* closed(self.closed)
          yield* restore(self.readers.until(() => self.inbox.length > 0 || self.closed !== undefined))
        }
      })
    )
  const hangUp = (self: End, reason: string): void => {
    if (self.closed !== undefined || !self.host.process.isAlive()) return
    self.inbox.length = 0
    end(self, `we closed it: ${oneLine(reason)}`)
    depart(self, { _tag: "Farewell", reason })
  }
  const connectionOf = (self: End, initiator: boolean, channelKey: Uint8Array): Connection => ({
    peer: self.other().host.device,
    channelKey: channelKey.slice(),
    address: self.other().host.address,
    initiator,
    send: (frame) => send(self, frame),
    receive: receive(self),
    close: (reason) => Effect.sync(() => hangUp(self, reason))
  })

  return {
    join: (nearHost, farHost) => {
      const near = makeEnd(
        nearHost,
        () => wire,
        () => far
      )
      const far = makeEnd(
        farHost,
        () => wire,
        () => near
      )
      const wire: Wire = { id: ++wiresMade, near, far, broken: false }
      wires.add(wire)
      world.trace(nearHost.name, `connection ${wire.id} opens to ${farHost.name}`)
      const channelKey = chance.bytes(32)
      return [connectionOf(near, true, channelKey), connectionOf(far, false, channelKey)]
    },
    breakWhere: (isMeant, why) => {
      const meant = [...wires].filter(({ far, near }) => isMeant(near.host.name, far.host.name))
      for (const wire of meant) breakWire(wire, why)
      return meant.length
    },
    resume: () => {
      for (const from of [...wires].flatMap(({ far, near }) => [near, far])) {
        if (from.stalled.length === 0) continue
        world.after(latency(from, from.other()), () => {
          if (from.wire().broken || links.isCut(from.host.name, from.other().host.name)) return
          for (const cargo of from.stalled.splice(0)) land(from, cargo)
        })
      }
    },
    hangUp: (name, reason) => {
      for (const { far, near } of [...wires]) {
        if (near.host.name === name) hangUp(near, reason)
        if (far.host.name === name) hangUp(far, reason)
      }
    }
  }
}

/** What a sealed channel sees of a hostile wire. */
const tamperings = ["a frame does not open", "a frame came twice", "a frame came out of turn"]

const makeEnd = (host: Holder, wire: () => Wire, other: () => End): End => ({
  host,
  wire,
  other,
  flight: [],
  stalled: [],
  inbox: [],
  readers: makeWaiters(host.process),
  senders: makeWaiters(host.process),
  outstandingBytes: 0,
  clearAtMillis: 0,
  closed: undefined
})

/** Fibers of one process that wait for a change; see `Process.wait` for how they resume. */
export interface Waiters {
  /** Waits for the next `wake`, unless it is so already: what came since the caller looked is not slept through. */
  readonly until: (isSo: () => boolean) => Effect.Effect<void>
  readonly wake: () => void
}

export const makeWaiters = (process: Process): Waiters => {
  const waiting = new Set<() => void>()
  return {
    until: (isSo) =>
      process.wait((resume) => {
        const woken = (): void => resume(Effect.void)
        if (isSo()) return woken()
        waiting.add(woken)
        return () => waiting.delete(woken)
      }),
    wake: () => {
      const woken = [...waiting]
      waiting.clear()
      for (const resume of woken) resume()
    }
  }
}

const closed = (reason: string): Effect.Effect<never, NetworkError> =>
  Effect.fail(new NetworkError({ reason: new ConnectionClosed({ reason }) }))

const closedByPeer = (reason: string): string => `the peer closed it: "${oneLine(reason)}"`

/** A stranger's text as one short line. */
const oneLine = (reason: string): string =>
  reason.slice(0, reasonCharactersMax).replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, " ")
