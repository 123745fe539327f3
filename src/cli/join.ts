/**
 * `aura join CODE`: redeems a pairing code, fetches the space, and remembers where the issuer is.
 *
 * Nothing is sent to a device that is not the code's issuer. One timeout holds for connecting, pairing, admission and
 * fetching; a failure says how far it came. Once admitted this device is a member, and `aura sync` goes on where fetching
 * stopped.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { JoinIncomplete, type Joined } from "../runtime/Joining.ts"
import * as PairingCode from "../sync/PairingCode.ts"
import { deviceNameCharactersMax } from "../trust/limits.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import { entriesOf } from "./Meeting.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"
import { count, printable } from "./Text.ts"

export const answer = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"Join">, voice: Voice) {
  const code = PairingCode.decode(errand.code)
  if (Result.isFailure(code)) return yield* codeInvalid(code.failure.what)
  if (PairingCode.isIssuer(code.success, office.keys.device)) {
    return yield* Problem.make("PairingWithOneself", {
      what: "this is the very device that made the code",
      where: office.home.path,
      do: "run it on another device, or give a second device on this machine a directory of its own: --data DIRECTORY"
    })
  }
  const agent = yield* office.agent
  const name = (errand.name ?? office.settings.name).slice(0, deviceNameCharactersMax)
  yield* voice.note(`calling ${code.success.address}`)
  const admitted = Effect.fnUntraced(function* ({ issuer, replica }: Joined) {
    yield* office.remember({
      peer: { device: issuer, address: code.success.address },
      ...(office.settings.space === undefined ? { space: replica.space } : {}),
      ...(office.settings.app === undefined ? {} : { app: office.settings.app })
    })
    yield* voice.note("admitted; fetching the space")
  })
  const timeoutMillis = errand.timeoutSeconds * 1_000
  const { issuer, replica } = yield* agent
    .join(code.success, name, { timeoutMillis, admitted })
    .pipe(Effect.mapError((error) => (error instanceof JoinIncomplete ? incomplete(error) : error)))
  yield* voice.data({
    space: replica.space,
    app: replica.ledger().genesis?.app ?? null,
    device: agent.device,
    name,
    issuer,
    entries: entriesOf(replica)
  })
})

/** How far it came, and what to do about it. */
const incomplete = ({ address, stage, what, way }: JoinIncomplete): Problem.Problem =>
  stage === "FirstSync"
    ? Problem.make("NotCaughtUp", {
        what: `this device is a member now, but the space is not here yet: ${what}`,
        where: address,
        do: 'run "aura sync": it goes on where this stopped'
      })
    : Problem.make("JoinIncomplete", {
        what: `${stages[stage]}: ${what}`,
        where: address,
        do:
          stage === "Admission"
            ? 'run "aura pair" there once more and join with the new code, which does no harm'
            : way,
        details: [{ stage }]
      })

const stages = {
  Connecting: "the other device could not be connected to",
  Pairing: "the other device did not take the code",
  Admission: "the code was handed over, but no answer came; this device may be a member or not"
} as const

/** The same for a code that was refused before anything was opened. */
export const codeInvalid = (what: string): Problem.Problem =>
  Problem.make("PairingCodeInvalid", {
    what,
    allowed: 'aura-XXXX-…-XXXX@ADDRESS, as "aura pair" prints it',
    do: "paste the whole line, in quotes (the address contains characters that shells treat specially)",
    isUsage: true
  })

/** Whether it is a code at all: checked before a data directory is made for it. */
export const check = (code: Redacted.Redacted<string>): Problem.Problem | undefined => {
  const decoded = PairingCode.decode(code)
  return Result.isFailure(decoded) ? codeInvalid(decoded.failure.what) : undefined
}

const Joined = Schema.Struct({
  app: Schema.NullOr(Schema.String),
  device: Schema.String,
  name: Schema.String,
  issuer: Schema.String,
  entries: Schema.Finite
})

export const render = (data: Data): string => {
  const { app, device, entries, issuer, name } = Schema.decodeUnknownSync(Joined)(data)
  const what = printable(app ?? "the space")
  return `joined ${what} as "${printable(name)}" (device ${device.slice(0, 10)}), admitted by ${issuer.slice(0, 10)}; ${count(entries, "entry", "entries")} here`
}
