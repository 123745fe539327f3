/**
 * Decides which device sent a request: its signature holds, it is a member, and it has not been heard before.
 *
 * In this order, so that strangers cost one verification and members alone reach the book of nonces. What fails is
 * counted by its kind and logged as a security event, one line a second; the answer tells who sent it what is wrong
 * with their own request, and nothing else.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { DeviceId } from "../../identity/Id.ts"
import * as Metrics from "../../observability/Metrics.ts"
import * as Decision from "../../trust/Decision.ts"
import * as Wording from "../../trust/Wording.ts"
import type { NonceBook } from "./NonceBook.ts"
import { security, strangenessOf } from "./OperationRequest.ts"
import type { Problem } from "./Reply.ts"
import * as SignedRequest from "./SignedRequest.ts"
import type { Site } from "./Site.ts"

export type Prove = (received: SignedRequest.Received) => Effect.Effect<Result.Result<DeviceId, Problem>>

/** What a client is told it should have sent. */
const asked = {
  "www-authenticate": "Signature",
  "accept-signature": `aura=(${SignedRequest.required.map((name) => `"${name}"`).join(" ")});created;expires;nonce;keyid;tag="${SignedRequest.tag}"`
}

export const make = (site: Site, nonces: NonceBook): Prove => {
  const report = reports(site)
  const refuse = Effect.fnUntraced(function* (problem: Problem, reason: string, device: DeviceId | undefined) {
    yield* Metrics.refused(`http_${reason}`)
    yield* report(reason, device)
    return Result.fail(problem)
  })
  return Effect.fnUntraced(function* (received) {
    const nowMillis = site.time.now().millis
    const checked = SignedRequest.check(received, site.agent.device, nowMillis)
    if (Result.isFailure(checked)) {
      const { reason, what } = checked.failure
      return yield* refuse(unproved(what), reason, undefined)
    }
    const { claim, device, expiresSeconds, nonce } = checked.success
    const [isGenuine] = yield* site.verifier.verify([claim])
    if (isGenuine !== true) return yield* refuse(unproved("the signature does not hold"), "forged", undefined)
    const stranger = strangenessOf(site.replica.ledger().authority, device)
    if (stranger !== undefined) {
      const detail = Wording.refusal(Decision.denied(stranger))
      return yield* refuse({ status: 403, code: stranger._tag, detail }, "stranger", device)
    }
    const claimed = yield* Effect.result(nonces.claim(device, nonce, expiresSeconds, Math.floor(nowMillis / 1000)))
    if (Result.isFailure(claimed)) {
      yield* Effect.logError("a request's nonce was not written", claimed.failure.message)
      const detail = "the journal can't be written now"
      return Result.fail({ status: 503, code: claimed.failure.reason._tag, detail })
    }
    switch (claimed.success) {
      case "Fresh":
        return Result.succeed(device)
      case "Used":
        return yield* refuse(unproved("this request was sent before: sign each with a new nonce"), "replayed", device)
      case "Full": {
        const detail = "too many requests count at once: wait a minute, or let requests expire sooner"
        return Result.fail({ status: 429, code: "NoncesFull", detail, headers: { "retry-after": "60" } })
      }
    }
  })
}

const unproved = (detail: string): Problem => ({ status: 401, code: "Unproved", detail, headers: asked })

const reports = (site: Site) => {
  let quietUntilMillis = 0
  let unsaid = 0
  return (reason: string, device: DeviceId | undefined): Effect.Effect<void> => {
    const now = site.time.now().millis
    if (now < quietUntilMillis) return Effect.sync(() => void unsaid++)
    quietUntilMillis = now + 1000
    const line = security("a signed request was refused", { reason, device: device ?? "unknown", unsaid })
    unsaid = 0
    return line
  }
}
