/**
 * Opens the outer connection to an address: TCP, TLS 1.3, WebSocket; and decides whether the certificate will do.
 *
 *     pins known      The certificate must chain to an authority with one of the pins, name the host and be in time.
 *                     OpenSSL checks that, with the pinned authority as its only root. A pin is a hash, so the
 *                     authority's certificate is fetched first, once per pin, over a connection that carries nothing.
 *     no pins         Any certificate will do, because the caller expects one device and the inner channel proves it
 *                     before anything is sent (a pairing code holds no more than that). Without an expected device it
 *                     is refused: then nobody would have proved anything.
 *     ws://           No TLS, and only to this machine.
 *
 * Public root certificates are never loaded, older versions of TLS never spoken, sessions never resumed. It does not
 * retry and knows no device keys.
 */
import * as Effect from "effect/Effect"
import type { X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import * as tls from "node:tls"
import { WebSocket } from "ws"
import { AddressInvalid, NetworkError, PeerRefused, Unreachable, type Expected } from "../../effects/Network.ts"
import * as Address from "../shared/Address.ts"
import { handshakeMillis } from "../shared/SecureConnection.ts"
import { pinOf } from "./PrivateAuthority.ts"
import * as WebSocketDuplex from "./WebSocketDuplex.ts"

export interface Dialled {
  readonly socket: WebSocket
  /** RFC 9266 channel binding of the TLS it runs over. */
  readonly exported: Uint8Array | undefined
}

/** Authorities learned so far, by pin: PEM. */
export type Authorities = Map<string, string>

/** Succeeds with an open socket, held until somebody attaches; interruption closes it. */
export const dial = Effect.fnUntraced(function* (
  text: string,
  expected: Expected | undefined,
  pinsKnown: ReadonlyArray<string>,
  authorities: Authorities
) {
  const parsed = Address.parse(text)
  if (parsed._tag === "Failure") return yield* invalid(text, parsed.failure)
  const address = parsed.success
  if (!address.isTls) return yield* openSocket(text, address, undefined)
  const pins = address.pins.length > 0 ? address.pins : pinsKnown
  if (pins.length > 0) {
    const ca = yield* authoritiesFor(text, address, pins, authorities)
    return yield* openSocket(text, address, { ...secure, ca: [...ca], rejectUnauthorized: true })
  }
  if (expected === undefined) {
    return yield* invalid(text, `a pin ("aura://HOST:PORT?pin=PIN"), or a device expected there`)
  }
  return yield* openSocket(text, address, { ...secure, ca: [], rejectUnauthorized: false })
})

/** RFC 9266; undefined where there is no TLS. */
export const exportedBy = (socket: unknown): Uint8Array | undefined =>
  socket instanceof tls.TLSSocket
    ? Uint8Array.from(socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)))
    : undefined

const secure = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const

/** The certificates of the pinned authorities, fetched from the peer where they are not known. */
const authoritiesFor = Effect.fnUntraced(function* (
  text: string,
  address: Address.Address,
  pins: ReadonlyArray<string>,
  authorities: Authorities
) {
  const known = () => pins.flatMap((pin) => authorities.get(pin) ?? [])
  if (known().length > 0) return known()
  for (const certificate of yield* presentedBy(text, address)) {
    const pin = pinOf(certificate)
    // Whether it may vouch for others, and did so here, OpenSSL decides in the connection that follows.
    if (pins.includes(pin)) authorities.set(pin, certificate.toString())
  }
  if (known().length === 0) {
    return yield* refused(text, "its certificate is not under the pinned authority")
  }
  return known()
})

/** The certificates a server shows to anybody, itself first. */
const presentedBy = (
  text: string,
  { host, port }: Address.Address
): Effect.Effect<ReadonlyArray<X509Certificate>, NetworkError> =>
  Effect.callback((resume) => {
    const socket = tls.connect({ host, port, ...secure, ...serverName(host), ca: [], rejectUnauthorized: false })
    socket.setTimeout(handshakeMillis, () => socket.destroy(new Error("no answer")))
    socket.once("error", (error) => resume(failed(text, error)))
    socket.once("secureConnect", () => {
      const chain: Array<X509Certificate> = []
      let certificate = socket.getPeerX509Certificate()
      while (certificate !== undefined && chain.length < chainMax) {
        chain.push(certificate)
        const issuer = certificate.issuerCertificate
        certificate = issuer?.raw.equals(certificate.raw) === true ? undefined : issuer
      }
      socket.destroy()
      resume(Effect.succeed(chain))
    })
    return Effect.sync(() => {
      socket.destroy()
    })
  })

const chainMax = 4

const openSocket = (
  text: string,
  address: Address.Address,
  options: tls.ConnectionOptions | undefined
): Effect.Effect<Dialled, NetworkError> =>
  Effect.callback((resume) => {
    const { host, port } = address
    const scheme = options === undefined ? "ws" : "wss"
    const socket = new WebSocket(`${scheme}://${Address.bracketed(host)}:${port}${Address.channelPath}`, {
      ...options,
      ...WebSocketDuplex.socketOptions,
      // A session of an earlier connection would be resumed without looking at the certificate again.
      agent: false,
      followRedirects: false,
      handshakeTimeout: handshakeMillis,
      // Masks protect proxies that read along; here TLS and sealing leave nothing to read, and zeros cost no copy.
      generateMask: (mask: Buffer) => mask.fill(0)
    })
    let exported: Uint8Array | undefined
    socket.once("upgrade", (response) => {
      exported = exportedBy(response.socket)
    })
    const onError = (error: Error): void => resume(failed(text, error))
    socket.once("error", onError)
    socket.once("open", () => {
      socket.off("error", onError)
      resume(Effect.succeed({ socket: WebSocketDuplex.hold(socket), exported }))
    })
    return Effect.sync(() => {
      // Ending a socket that is still connecting is reported as an error to whoever listens; nobody does any more.
      socket.on("error", () => undefined)
      socket.terminate()
    })
  })

/** Names go into SNI, addresses may not. */
const serverName = (host: string) => (isIP(host) === 0 ? { servername: host } : { servername: "" })

const failed = (address: string, error: Error): Effect.Effect<never, NetworkError> => {
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  const what = error.message || code || "no connection"
  return refusalCodes.test(code) ? refused(address, what) : unreachable(address, what)
}

/** How Node names failures of certificates and of TLS itself; everything else is the network. */
const refusalCodes = /^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_)/u

const invalid = (address: string, allowed: string) =>
  Effect.fail(new NetworkError({ reason: new AddressInvalid({ address: address.slice(0, 100), allowed }) }))
const refused = (address: string, what: string) =>
  Effect.fail(new NetworkError({ reason: new PeerRefused({ address, what }) }))
const unreachable = (address: string, what: string) =>
  Effect.fail(new NetworkError({ reason: new Unreachable({ address, what }) }))
