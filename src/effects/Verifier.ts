/** Checks batches of Ed25519 signatures by the fastest means of the platform, all by the one acceptance rule. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { DeviceId } from "../identity/Id.ts"

/** One signature to check: `signature` (64 bytes) by `signer` over exactly `message`. */
export interface Claim {
  readonly signer: DeviceId
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

export class Verifier extends Context.Service<
  Verifier,
  {
    /**
     * One answer per claim, in order. Never fails: what can't be checked is false. The rule is that of
     * `identity/Signature.ts`, the same on every platform; a platform's own laxer rule is tightened by the handler.
     */
    readonly verify: (claims: ReadonlyArray<Claim>) => Effect.Effect<ReadonlyArray<boolean>>
  }
>()("aura/effects/Verifier") {}
