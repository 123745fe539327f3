/**
 * Turns anything that carries messages both ways into a `Connection`: runs the device handshake over it, then seals,
 * counts, beats and closes. One driver for every transport and platform; a WebSocket of Node and one of a browser
 * differ in the `Duplex` they bring.
 *
 * Kinds of sealed frames: 0 a frame of the caller, 1 a sign of life (empty), 2 a farewell (its reason in UTF-8). Any
 * other kind, and any body where none belongs, breaks the connection.
 *
 * Order: nothing of the caller leaves before the handshake is over; the farewell follows everything sent before it.
 * Pressure: `send` waits while the transport has enough to do; what the caller has not received yet is bounded, and
 * beyond the bound the transport is paused. Life: each side says something at least every `beatMillis`, and a side that
 * heard nothing for two beats while it was listening ends the connection. It does not reconnect and does not know who
 * may connect.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Keys } from "../../effects/Keys.ts"
import {
  frameBytesMax,
  isExpected,
  named,
  NetworkError,
  PeerRefused,
  Unreachable,
  type Connection,
  type Expected
} from "../../effects/Network.ts"
import type { Verifier } from "../../effects/Verifier.ts"
import * as DeviceChannel from "../../identity/DeviceChannel.ts"
import * as Noise from "../../identity/Noise.ts"
import { overheadBytes } from "../../identity/SealedFrames.ts"
import * as Mailbox from "./Mailbox.ts"

/** Largest message a transport has to carry, in bytes. */
export const messageBytesMax = frameBytesMax + overheadBytes

/** Frames and bytes that wait for `receive` before the transport is paused; the frame that crosses is still taken. */
export const framesWaitingMax = 64
export const bytesWaitingMax = 2 * 1024 * 1024

export const handshakeMillis = 10_000
export const beatMillis = 30_000

/** What of the protocol inside the channel this release understands. */
export const versions: ReadonlyArray<number> = [1]

/** Whole messages both ways, in order, or an end. All methods are synchronous and may be called after the end. */
export interface Duplex {
  /** The message belongs to the transport from here on. */
  readonly push: (message: Uint8Array) => void
  /** Returns when the transport has little left to do, or has ended. */
  readonly ready: Effect.Effect<void>
  /** While paused nothing more is delivered, save what had been read before. */
  readonly pause: () => void
  readonly resume: () => void
  /** Ends after what was pushed has left. */
  readonly close: () => void
  /** Ends at once. */
  readonly destroy: () => void
}

/** What a transport tells; it may begin before anybody connected anything to it. */
export interface Arrivals {
  readonly message: (message: Uint8Array) => void
  readonly ended: (what: string) => void
}

export interface Options {
  readonly initiator: boolean
  readonly address: string
  readonly suite: Noise.Suite
  readonly keys: Keys["Service"]
  readonly verifier: Verifier["Service"]
  /** Secure randomness. */
  readonly randomBytes: (size: number) => Uint8Array
  readonly expected?: Expected | undefined
  /** What the outer TLS exports, where it can be asked. */
  readonly exported?: Uint8Array | undefined
}

/**
 * `attach` is called once, synchronously; from then on everything that arrives goes to the arrivals it was given. The
 * connection ends with the scope, and so does an unfinished handshake.
 */
export const open = (
  attach: (arrivals: Arrivals) => Duplex,
  options: Options
): Effect.Effect<Connection, NetworkError, Scope.Scope> =>
  Effect.suspend(() => {
    const line = incoming(attach)
    return Effect.acquireRelease(
      shakeHands(line, options).pipe(
        Effect.timeoutOrElse({
          duration: handshakeMillis,
          orElse: () => Effect.fail(unreachable(options.address, `no handshake within ${handshakeMillis / 1000} s`))
        }),
        Effect.map((session) => established(line, session, options)),
        Effect.onExit((exit) => (exit._tag === "Success" ? Effect.void : Effect.sync(line.duplex.destroy)))
      ),
      ({ connection }) => connection.close("no longer needed"),
      { interruptible: true }
    ).pipe(
      Effect.tap(({ beat }) => Effect.forkScoped(beat)),
      Effect.map(({ connection }) => connection)
    )
  })

interface Incoming {
  readonly duplex: Duplex
  /** What arrived during the handshake, one message at a time: a stranger may not make us hold more. */
  readonly early: Mailbox.Mailbox<Uint8Array>
  /** Hands what came early, and everything from here on, to the open connection, which resumes the transport. */
  readonly handOver: (to: Arrivals) => void
}

const incoming = (attach: (arrivals: Arrivals) => Duplex): Incoming => {
  let ended: string | undefined
  let to: Arrivals | undefined
  const early = Mailbox.make<Uint8Array>({
    itemsMax: 1,
    bytesMax: messageBytesMax,
    onRoom: () => duplex.resume()
  })
  const duplex = attach({
    message: (message) => {
      if (to !== undefined) return to.message(message)
      early.push(message, message.length)
      duplex.pause()
    },
    ended: (what) => {
      if (to !== undefined) return to.ended(what)
      ended = what
      early.end(what, what)
    }
  })
  return {
    duplex,
    early,
    handOver: (arrivals) => {
      to = arrivals
      for (const message of early.drain()) arrivals.message(message)
      if (ended !== undefined) arrivals.ended(ended)
    }
  }
}

const shakeHands = Effect.fnUntraced(function* (line: Incoming, options: Options) {
  const { address, keys, suite, verifier } = options
  const pair = () => Noise.keyPair(suite, Redacted.make(options.randomBytes(Noise.keyBytes)))
  let step = DeviceChannel.start({
    suite,
    initiator: options.initiator,
    device: keys.device,
    static: pair(),
    ephemeral: pair(),
    versions,
    exported: options.exported,
    isExpected: (device) => isExpected(options.expected, device)
  })
  while (true) {
    if (step.send !== undefined) line.duplex.push(step.send)
    const { need } = step
    switch (need._tag) {
      case "Message": {
        step = DeviceChannel.receive(step.channel, yield* line.early.take)
        break
      }
      case "Sign": {
        const signature = yield* Effect.mapError(keys.sign(need.message), (error) =>
          unreachable(address, `this device could not prove itself: ${error.message}`)
        )
        step = DeviceChannel.signed(step.channel, signature)
        break
      }
      case "Verify": {
        const [holds] = yield* verifier.verify([need.claim])
        step = DeviceChannel.verified(step.channel, holds === true)
        break
      }
      case "Refused":
        return yield* refused(options, need.refusal)
      case "Open":
        return need.session
    }
  }
})

const kinds = { frame: 0, life: 1, farewell: 2 } as const
const nothing = new Uint8Array(0)
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8")

const established = (line: Incoming, session: DeviceChannel.Session, options: Options) => {
  const { duplex } = line
  let heard = true
  let paused = false
  let endedForSender: string | undefined
  const inbox = Mailbox.make<Uint8Array>({
    itemsMax: framesWaitingMax,
    bytesMax: bytesWaitingMax,
    onRoom: () => {
      if (!paused) return
      paused = false
      duplex.resume()
    }
  })

  /** What was received before the end can still be taken. */
  const ended = (reason: string): void => {
    endedForSender ??= reason
    inbox.end(reason, reason)
  }
  const broken = (what: string): void => {
    if (endedForSender !== undefined) return
    ended(`the connection broke: ${what}`)
    duplex.destroy()
  }
  line.handOver({
    message: (message) => {
      if (endedForSender !== undefined) return
      heard = true
      const opened = session.open(message)
      if (opened._tag === "Broken") return broken(opened.what)
      const { body, kind } = opened
      if (kind === kinds.frame) {
        inbox.push(body, body.length)
        if (paused || inbox.hasRoom()) return
        paused = true
        return duplex.pause()
      }
      if (kind === kinds.life && body.length === 0) return
      if (kind !== kinds.farewell) return broken(`the peer sent a frame of unknown kind ${kind}`)
      ended(Mailbox.closedByPeer(decoder.decode(body)))
      duplex.close()
    },
    ended: (what) => {
      if (endedForSender === undefined) ended(`the network: ${what}`)
    }
  })
  if (!paused) duplex.resume()

  const send = (frame: Uint8Array): Effect.Effect<void, NetworkError> => {
    if (frame.length > frameBytesMax) {
      return Effect.die(new RangeError(`a frame has at most ${frameBytesMax} bytes, not ${frame.length}`))
    }
    return Effect.flatMap(duplex.ready, () => {
      if (endedForSender !== undefined) return Effect.fail(Mailbox.closed(endedForSender))
      duplex.push(session.seal(kinds.frame, frame))
      return Effect.void
    })
  }

  const beat = Effect.gen(function* () {
    let silentBeats = 0
    while (true) {
      yield* Effect.sleep(beatMillis)
      if (endedForSender !== undefined) return
      // Paused we hear nothing because we don't listen.
      silentBeats = heard || paused ? 0 : silentBeats + 1
      heard = false
      if (silentBeats === 2) return broken(`no sign of life for ${(2 * beatMillis) / 1000} s`)
      duplex.push(session.seal(kinds.life, nothing))
    }
  })

  const connection: Connection = {
    peer: session.peer,
    channelKey: session.channelKey,
    address: options.address,
    initiator: options.initiator,
    send,
    receive: inbox.take,
    close: (reason) =>
      Effect.sync(() => {
        const here = Mailbox.closedHere(reason)
        inbox.drop(here, here)
        if (endedForSender !== undefined) return
        endedForSender = here
        duplex.push(session.seal(kinds.farewell, encoder.encode(Mailbox.oneLine(reason))))
        // Reading on, or the farewell of a peer that also writes would never be answered.
        duplex.resume()
        duplex.close()
      })
  }
  return { connection, beat }
}

const unreachable = (address: string, what: string): NetworkError =>
  new NetworkError({ reason: new Unreachable({ address, what }) })

const refused = (options: Options, refusal: DeviceChannel.Refusal): NetworkError =>
  new NetworkError({
    reason: new PeerRefused({
      address: options.address,
      what: refusal.what,
      ...named(options.expected),
      ...(refusal.found === undefined ? undefined : { found: refusal.found })
    })
  })
