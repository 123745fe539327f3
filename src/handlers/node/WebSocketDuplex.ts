/**
 * A WebSocket of the `ws` package as the message duplex that `SecureConnection` drives.
 *
 * Binary messages only, uncompressed (what travels is sealed and does not compress). `ready` waits while more than
 * `bufferedBytesMax` bytes have not left the process. It does not dial, listen or know what a message means.
 */
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import type { WebSocket } from "ws"
import { messageBytesMax, type Arrivals, type Duplex } from "../shared/SecureConnection.ts"

/** Bytes handed over and not yet gone, from which on a sender waits. */
export const bufferedBytesMax = 1024 * 1024

/** Both ends give these to `ws`. */
export const socketOptions = { perMessageDeflate: false, maxPayload: messageBytesMax }

/** Holds back what arrives until `attach`: `ws` drops messages that nobody listens for. */
export const hold = (socket: WebSocket): WebSocket => {
  socket.pause()
  return socket
}

/** Takes over a socket that is open and held. */
export const attach =
  (socket: WebSocket) =>
  (arrivals: Arrivals): Duplex => {
    const waiting = new Set<() => void>()
    let failure: string | undefined
    // Counted here, not read from the socket: its own figure may still be high when the last callback has been called.
    let bufferedBytes = 0

    const wake = (): void => {
      const resumes = [...waiting]
      waiting.clear()
      for (const resume of resumes) resume()
    }
    const isBusy = (): boolean => socket.readyState === socket.OPEN && bufferedBytes > bufferedBytesMax
    const ready: Effect.Effect<void> = Effect.suspend(() => {
      if (!isBusy()) return Effect.void
      const change = Effect.callback<void>((resume) => {
        const waiter = (): void => resume(Effect.void)
        waiting.add(waiter)
        return Effect.sync(() => {
          waiting.delete(waiter)
        })
      })
      return Effect.andThen(change, ready)
    })

    socket.on("message", (data, isBinary) => {
      if (isBinary && Buffer.isBuffer(data)) return arrivals.message(data)
      failure = "the peer sent text"
      socket.terminate()
    })
    // Always followed by "close".
    socket.on("error", (error) => {
      failure ??= error.message
    })
    socket.on("close", (code) => {
      wake()
      arrivals.ended(failure ?? (code === 1006 ? "the peer vanished" : `the peer hung up (code ${code})`))
    })
    if (socket.readyState === socket.CLOSED) queueMicrotask(() => arrivals.ended("the peer hung up"))
    socket.resume()
    return {
      push: (message) => {
        bufferedBytes += message.length
        socket.send(message, { binary: true, compress: false }, () => {
          bufferedBytes -= message.length
          if (!isBusy()) wake()
        })
      },
      ready,
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: () => socket.close(1000),
      destroy: () => socket.terminate()
    }
  }
