/**
 * Whether a request comes from a person at this machine: what the page may show and do without a signature hangs on it.
 *
 * The plain listener is for development and for this machine. Three kinds of strangers can still make a browser here
 * ask it: a name of theirs that resolves to 127.0.0.1 (DNS rebinding: the Host is not one of ours), a page of theirs
 * that posts across origins (the Origin is not ours, the header that only our script sets is missing), and a page of
 * theirs that embeds ours (Sec-Fetch-Site says so). What it can't tell apart is other people with an account on this
 * machine: production mode has no plain listener.
 */
import type { IncomingMessage } from "node:http"

/** What is looked at of a request. */
export type Source = Pick<IncomingMessage, "headers" | "socket">

/** Only our own script sets it; another origin would have to ask first, and nobody answers such questions. */
export const scriptHeader = "aura-page"

/** Both ends of the plain connection are this machine. */
export const isHere = ({ socket }: Source): boolean =>
  !("encrypted" in socket) && isLoopback(socket.remoteAddress) && isLoopback(socket.localAddress)

/** Why this must not be answered with anything of the space; undefined when it may. */
export const strangeness = ({ headers, socket }: Source, kind: "page" | "script" | "action"): string | undefined => {
  const hosts = ["127.0.0.1", "localhost", "[::1]"].map((name) =>
    socket.localPort === 80 ? name : `${name}:${socket.localPort}`
  )
  const host = headers.host?.toLowerCase() ?? ""
  if (!hosts.includes(host)) return `open this page as http://${hosts[0]}/`
  const site = headers["sec-fetch-site"]
  if (kind === "page")
    return site === "cross-site" && headers["sec-fetch-mode"] !== "navigate" ? "another site asks" : undefined
  if (site !== undefined && site !== "same-origin") return "another site asks"
  if (headers.origin !== undefined && headers.origin !== `http://${host}`) return "another origin asks"
  if (kind === "script") return undefined
  if (headers.origin === undefined) return "an action needs the Origin of this page"
  return headers[scriptHeader] === "1" ? undefined : "an action needs the header that this page sets"
}

const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && /^(?:127\.|::1$)/u.test(address.replace(/^::ffff:/u, ""))
