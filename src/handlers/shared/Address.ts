/**
 * Where a device is reached over the network, in the form people copy and pairing codes carry.
 *
 *     aura://HOST:PORT?pin=PIN[&pin=PIN]    TLS; PIN = base64url of SHA-256 of the authority's public key (SPKI), 43 characters
 *     aura://HOST:PORT  or  HOST:PORT       TLS; pins as configured, else only towards a device named beforehand
 *     ws://HOST:PORT                        no TLS, and only to this machine itself: for development
 *
 * HOST is a name of letters, digits, "-" and ".", an IPv4 address, or an IPv6 address in brackets. The port is never
 * left out. Nothing is guessed: paths, users, other parameters and spaces are refused. It does not resolve names.
 */
import * as Result from "effect/Result"

export interface Address {
  readonly host: string
  readonly port: number
  /** False for `ws://`. */
  readonly isTls: boolean
  readonly pins: ReadonlyArray<string>
}

export const allowed =
  '"aura://HOST:PORT?pin=PIN", "aura://HOST:PORT", "HOST:PORT", or "ws://HOST:PORT" for a loopback host'

/** Path of the channel on whatever HTTP server carries it. */
export const channelPath = "/aura/v1/channel"

/** Longest address, in characters. */
export const addressCharactersMax = 512

const pinsMax = 4
const form =
  /^(?<scheme>aura:\/\/|ws:\/\/|)(?<host>\[[0-9a-f:.]{2,45}\]|[0-9a-z][0-9a-z.-]{0,252}):(?<port>[0-9]{1,5})(?<query>\?[^?#\s]*)?$/iu
const pinForm = /^[A-Za-z0-9_-]{43}$/u

export const parse = (text: string): Result.Result<Address, string> => {
  if (text.length > addressCharactersMax) return Result.fail(allowed)
  const found = form.exec(text)?.groups
  if (found === undefined) return Result.fail(allowed)
  const host = (found.host ?? "").toLowerCase().replace(/^\[|\]$/gu, "")
  const port = Number(found.port)
  const pins = pinsOf(found.query)
  const isTls = found.scheme?.toLowerCase() !== "ws://"
  if (port < 1 || port > 65_535) return Result.fail("a port from 1 to 65535")
  if (pins === undefined) return Result.fail(`after "?" 1 to ${pinsMax} pins of 43 characters: pin=PIN&pin=PIN`)
  if (!isTls && pins.length > 0) return Result.fail('no pins with "ws://", which has no certificate')
  if (!isTls && !isLoopback(host)) return Result.fail('"ws://" only to localhost, 127.0.0.1 or [::1]')
  return Result.succeed({ host, port, isTls, pins })
}

export const format = ({ host, isTls, pins, port }: Address): string => {
  const query = pins.length === 0 ? "" : `?${pins.map((pin) => `pin=${pin}`).join("&")}`
  return `${isTls ? "aura" : "ws"}://${bracketed(host)}:${port}${query}`
}

/** The host as URLs want it. */
export const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host)

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/u.test(host)

const pinsOf = (query: string | undefined): ReadonlyArray<string> | undefined => {
  if (query === undefined) return []
  const fields = query.slice(1).split("&")
  const pins = fields.map((field) => field.replace(/^pin=/u, ""))
  const isValid = fields.every((field, index) => field.startsWith("pin=") && pinForm.test(pins[index] ?? ""))
  return isValid && pins.length <= pinsMax ? pins : undefined
}
