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
import { dataDefault } from "../config/Configuration.ts"
import * as Clock from "../journal/Clock.ts"
import * as Address from "../handlers/shared/Address.ts"
import { codeMinutes } from "../runtime/PairingDesk.ts"
import * as PairingCode from "../sync/PairingCode.ts"
import { all } from "../trust/Capability.ts"
import * as Right from "../trust/Right.ts"
import { line } from "./CommandLine.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import * as Meaning from "./Meaning.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"
import { printable, time } from "./Text.ts"

export const answer = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"Pair">, voice: Voice) {
  const replica = yield* office.replica
  const rights = yield* Meaning.rights(office, replica, errand, 1)
  const address = yield* addressOf(office, errand.address)
  const code = yield* made(office, address, rights)
  yield* voice.data({
    code: Redacted.value(PairingCode.encode(code)),
    expiresMillis: office.time.now().millis + codeMinutes * 60_000,
    address,
    space: replica.space,
    role: errand.role,
    can: rights.map(({ capability }) => capability),
    depth: Math.max(...rights.map(({ depth }) => depth)),
    untilMillis: untilOf(rights),
    for: errand.name
  })
})

/** A code that gives everything, to be passed on once: what people add their own devices with. */
export const everything = (office: Office) =>
  Effect.flatMap(addressOf(office, null), (address) => made(office, address, [Right.make(all, { depth: 1 })])).pipe(
    Effect.map(PairingCode.encode)
  )

const untilOf = (rights: ReadonlyArray<Right.Right>): number | null => {
  const [until] = rights.flatMap((right) => right.until ?? [])
  return until === undefined ? null : Clock.toMillis(until)
}

const made = Effect.fnUntraced(function* (office: Office, address: string, rights: ReadonlyArray<Right.Right>) {
  const agent = yield* office.agent
  const replica = yield* office.replica
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
