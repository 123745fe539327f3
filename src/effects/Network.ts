/** Connections to authenticated devices: what we ask of TLS, WebSockets or a simulated wire. Bytes, no meaning. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { DeviceId } from "../identity/Id.ts"

/** Nobody answers there, or the name does not resolve. Trying again later may help. */
export class Unreachable extends Data.TaggedError("Unreachable")<{ readonly address: string; readonly what: string }> {
  override get message(): string {
    return `cannot reach ${this.address}: ${this.what}`
  }
}

/** The other end is not who it has to be, or broke the handshake. Nothing was sent to it. A security event. */
export class PeerRefused extends Data.TaggedError("PeerRefused")<{
  readonly address: string
  readonly what: string
  readonly expected?: DeviceId | undefined
  readonly found?: DeviceId | undefined
}> {
  override get message(): string {
    return `refused ${this.address}: ${this.what}`
  }
}

/** The connection ended: by us, by the peer (its reason is quoted) or by the network. */
export class ConnectionClosed extends Data.TaggedError("ConnectionClosed")<{ readonly reason: string }> {
  override get message(): string {
    return `connection closed: ${this.reason}`
  }
}

/** The address is not one this handler understands. */
export class AddressInvalid extends Data.TaggedError("AddressInvalid")<{
  readonly address: string
  readonly allowed: string
}> {
  override get message(): string {
    return `"${this.address}" is no address: ${this.allowed}`
  }
}

export class NetworkError extends Data.TaggedError("NetworkError")<{
  readonly reason: Unreachable | PeerRefused | ConnectionClosed | AddressInvalid
}> {
  override get message(): string {
    return this.reason.message
  }
}

/** Who may be at the other end: one device, or whichever satisfies a question. */
export type Expected = DeviceId | ((device: DeviceId) => boolean)

export const isExpected = (expected: Expected | undefined, found: DeviceId): boolean =>
  expected === undefined || (typeof expected === "function" ? expected(found) : expected === found)

/** What a refusal can tell of who was expected: a question names nobody. */
export const named = (expected: Expected | undefined): { readonly expected?: DeviceId } =>
  expected === undefined || typeof expected === "function" ? {} : { expected }

/** Largest frame, in bytes of plain text. A larger one is a defect of the sender and closes a receiver. */
export const frameBytesMax = 512 * 1024

/**
 * A duplex channel of frames to one device whose key was proved (identity/DeviceChannel.ts): frames arrive whole, in
 * order, once, sealed against everyone else, or the connection ends. One fiber sends, one receives; each frame handed
 * to `send` must not be changed afterwards, each one received belongs to the receiver.
 */
export interface Connection {
  readonly peer: DeviceId
  /** 32 bytes that only the two ends know, fresh for this connection: keys the names of spaces, binds pairing codes. */
  readonly channelKey: Uint8Array
  /** Where the peer is, for people. */
  readonly address: string
  /** True on the side that opened the connection. */
  readonly initiator: boolean
  /** Returns when the frame is taken; waits while the peer does not read (back-pressure). No delivery guarantee. */
  readonly send: (frame: Uint8Array) => Effect.Effect<void, NetworkError>
  /** The next frame; fails with `ConnectionClosed` after the last. */
  readonly receive: Effect.Effect<Uint8Array, NetworkError>
  /** Ends the connection; the peer learns `reason` (at most 120 characters) if the wire still works. */
  readonly close: (reason: string) => Effect.Effect<void>
}

export class Network extends Context.Service<
  Network,
  {
    /**
     * Opens a connection and proves both keys. With `expected`, a device or a question about one, another device at the
     * other end is `PeerRefused` before anything of ours is sent to it. The connection ends with the scope.
     */
    readonly connect: (address: string, expected?: Expected) => Effect.Effect<Connection, NetworkError, Scope.Scope>
    /** The next connection somebody opened to us, proved; its life is the scope's. Never fails: bad ones are counted. */
    readonly accept: Effect.Effect<Connection, never, Scope.Scope>
    /** Where others reach us; empty when not listening. */
    readonly addresses: () => ReadonlyArray<string>
  }
>()("aura/effects/Network") {}
