/** Every verifier keeps the same laws, and the laws tell a laxer verifier from ours. */
import { assert, describe, it } from "@effect/vitest"
import { ed25519 } from "@noble/curves/ed25519.js"
import * as Effect from "effect/Effect"
import { verifierLaws } from "../../src/conformance/VerifierLaws.ts"
import { Verifier, type Claim } from "../../src/effects/Verifier.ts"
import * as NobleVerifier from "../../src/handlers/memory/NobleVerifier.ts"
import * as NodeVerifier from "../../src/handlers/node/NodeVerifier.ts"
import { deviceId, toBytes } from "../../src/identity/Id.ts"
import { verify } from "../../src/identity/Signature.ts"

for (const [name, layer] of [
  ["NobleVerifier", NobleVerifier.layer],
  ["NodeVerifier", NodeVerifier.layer]
] as const) {
  describe(name, () => {
    for (const law of verifierLaws) it.effect(law.name, () => Effect.provide(law.check, layer))
  })
}

describe("the laws", () => {
  it.effect("are broken by the library's own rules, and by answers that are mixed up", () =>
    Effect.gen(function* () {
      const library = (zip215: boolean) => (claims: ReadonlyArray<Claim>) =>
        claims.map(
          ({ signer, message, signature }) =>
            signature.length === 64 && ed25519.verify(signature, message, toBytes(signer), { zip215 })
        )
      const ours = (claims: ReadonlyArray<Claim>) =>
        claims.map(({ signer, message, signature }) => verify(toBytes(signer), message, signature))
      for (const [decide, leastBroken] of [
        [library(true), 30],
        [library(false), 20],
        [(claims: ReadonlyArray<Claim>) => ours(claims).toReversed(), 1]
      ] as const) {
        const verifier = Verifier.of({ verify: (claims) => Effect.sync(() => decide(claims)) })
        const laws = verifierLaws.map(({ check }) => Effect.isSuccess(Effect.provideService(check, Verifier, verifier)))
        const kept = yield* Effect.all(laws)
        assert.isAtLeast(kept.filter((isKept) => !isKept).length, leastBroken)
      }
    })
  )
})

describe("NodeVerifier", () => {
  it.effect("keeps deciding right after more keys than it remembers", () =>
    Effect.gen(function* () {
      const verifier = yield* Verifier
      const message = new TextEncoder().encode("many members")
      const alice = new Uint8Array(32).fill(1)
      const claim = {
        signer: deviceId(ed25519.getPublicKey(alice)),
        message,
        signature: ed25519.sign(message, alice)
      }
      // Keys that are no points cost no arithmetic, so a crowd of them is cheap to make and to refuse.
      const crowd = Array.from({ length: 5000 }, (_, index) => {
        const bytes = new Uint8Array(32).fill(0xff)
        new DataView(bytes.buffer).setUint32(0, index)
        return { ...claim, signer: deviceId(bytes) }
      })
      assert.deepStrictEqual(yield* verifier.verify([claim]), [true])
      const answers = yield* verifier.verify([claim, ...crowd, claim])
      assert.deepStrictEqual(answers.filter((holds) => holds).length, 2)
      assert.isTrue(answers[0] && answers[crowd.length + 1])
    }).pipe(Effect.provide(NodeVerifier.layer))
  )
})
