/**
 * `aura pair`: a code by which one more device joins the space, shown as text and as a QR code.
 *
 * The code is a secret for the ten minutes it lives: it is shown, never logged. It is redeemed at the running server, so
 * the server makes it. Where several addresses lead here, the code names the first that other machines can reach.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Address from "../handlers/shared/Address.ts"
import { codeMinutes } from "../runtime/PairingDesk.ts"
import * as PairingCode from "../sync/PairingCode.ts"
import { all, isCapability, type Capability } from "../trust/Capability.ts"
import * as Right from "../trust/Right.ts"
import { grantDepthMax } from "../trust/limits.ts"
import { line } from "./CommandLine.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"
import { dataDefault } from "./Settings.ts"
import { printable, time } from "./Text.ts"

export const answer = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"Pair">, voice: Voice) {
  const { can, depth } = errand
  const capabilities = can.filter(isCapability)
  if (capabilities.length < can.length || can.length === 0) {
    return yield* Problem.make("CapabilityInvalid", {
      what: `no capability: ${can.filter((one) => !isCapability(one)).join(", ")}`,
      allowed: '"*", an action such as "task:write", or an action on a resource such as "task:write/tasks/*"',
      isUsage: true
    })
  }
  if (depth < 0 || depth > grantDepthMax) {
    return yield* Problem.make("DepthInvalid", {
      what: `a depth of ${depth}`,
      allowed: `0 (may not pass rights on) to ${grantDepthMax}`,
      isUsage: true
    })
  }
  const address = yield* addressOf(office, errand.address)
  const replica = yield* office.replica
  const code = yield* made(office, address, capabilities, depth)
  yield* voice.data({
    code: Redacted.value(PairingCode.encode(code)),
    expiresMillis: office.time.now().millis + codeMinutes * 60_000,
    address,
    space: replica.space,
    can: [...capabilities],
    depth,
    for: errand.name
  })
})

/** A code that gives everything, to be passed on once: what people add their own devices with. */
export const everything = (office: Office) =>
  Effect.flatMap(addressOf(office, null), (address) => made(office, address, [all], 1)).pipe(
    Effect.map(PairingCode.encode)
  )

const made = Effect.fnUntraced(function* (
  office: Office,
  address: string,
  can: ReadonlyArray<Capability>,
  depth: number
) {
  const agent = yield* office.agent
  const replica = yield* office.replica
  const rights = can.map((capability) => Right.make(capability, { depth }))
  return yield* agent.pair(replica.space, rights, address)
})

const addressOf = Effect.fnUntraced(function* (office: Office, wanted: string | null) {
  const agent = yield* office.agent
  const address = wanted ?? reachable(agent.addresses())
  if (address !== undefined) return address
  return yield* Problem.make("NoAddress", {
    what: "this server has no address that another device could call",
    do: "name one: aura pair --address HOST:PORT"
  })
})

/** TLS before plain, an address with numbers before a name that may not resolve elsewhere. */
const reachable = (addresses: ReadonlyArray<string>): string | undefined => {
  const secure = addresses.filter((address) => address.startsWith("aura://"))
  return secure.find((address) => /^aura:\/\/[\d[]/u.test(address)) ?? secure[0] ?? addresses[0]
}

const Paired = Schema.Struct({
  code: Schema.String,
  address: Schema.String,
  expiresMillis: Schema.Finite,
  for: Schema.NullOr(Schema.String)
})

export const render = (data: Data): string => Schema.decodeUnknownSync(Paired)(data).code

/** What people need around the code. `here` = the data directory of this device, as it was given. */
export const renderAround = async (data: Data, here: string | undefined, withQr: boolean): Promise<string> => {
  const { address, code, expiresMillis, for: name } = Schema.decodeUnknownSync(Paired)(data)
  const isLocal = isLoopbackAddress(address)
  // a second device on one machine needs a directory of its own
  const joinLine = line(["join", code], isLocal ? `${here ?? dataDefault}-2` : undefined)
  const expiry = `It is good for one device${name === null ? "" : `, ${printable(name)}`}, until ${time(expiresMillis)}. Show it to nobody else.`
  const local = isLocal
    ? ["The address is this machine's own: for a device elsewhere, start the server with --host 0.0.0.0 first."]
    : []
  if (!withQr) return [`On the other device: ${joinLine}`, ...local].join("\n")
  const { renderUnicodeCompact } = await import("uqr")
  const around = ["", "Scan it, or run this on the other device:", "", `  ${joinLine}`, "", expiry, ...local]
  return [renderUnicodeCompact(code, { border: 1 }), ...around].join("\n")
}

const isLoopbackAddress = (address: string): boolean => {
  const parsed = Address.parse(address)
  return Result.isSuccess(parsed) && Address.isLoopback(parsed.success.host)
}
