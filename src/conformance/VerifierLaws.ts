/**
 * What every verifier promises (effects/Verifier.ts), as data: it decides each hand-made signature as the one rule of
 * identity/Signature.ts does, alone and in a batch of any size, and answers in the order of the claims.
 */
import * as Effect from "effect/Effect"
import { Verifier, type Claim } from "../effects/Verifier.ts"
import { deviceId } from "../identity/Id.ts"
import { expectSame, type Law } from "./Law.ts"
import { signatureCases, type SignatureCase } from "./SignatureCases.ts"

const claimOf = ({ publicKey, message, signature }: SignatureCase): Claim => ({
  signer: deviceId(publicKey),
  message,
  signature
})

const decidesAlike = (cases: ReadonlyArray<SignatureCase>): Effect.Effect<void, unknown, Verifier> =>
  Effect.gen(function* () {
    const verifier = yield* Verifier
    const answers = yield* verifier.verify(cases.map(claimOf))
    yield* expectSame(answers.length, cases.length, "number of answers")
    for (const [index, { name, holds }] of cases.entries()) yield* expectSame(answers[index], holds, name)
  })

/** Made once, at load: their names are the names of laws. */
const cases = signatureCases()

const caseLaws: ReadonlyArray<Law<Verifier>> = cases.map((signatureCase) => ({
  name: `${signatureCase.holds ? "accepts" : "refuses"} ${signatureCase.name}`,
  check: decidesAlike([signatureCase])
}))

export const verifierLaws: ReadonlyArray<Law<Verifier>> = [
  ...caseLaws,
  { name: "answers nothing to no claims", check: decidesAlike([]) },
  { name: "decides all cases in one batch as it decides each alone", check: decidesAlike(cases) },
  {
    name: "answers in the order of the claims, also when it is asked again and again",
    check: Effect.forEach([cases.toReversed(), cases, [...cases, ...cases]], decidesAlike, { discard: true })
  },
  {
    name: "decides concurrent batches independently",
    check: Effect.forEach([cases.slice(0, 3), cases.slice(3), cases.toReversed()], decidesAlike, {
      concurrency: "unbounded",
      discard: true
    })
  }
]
