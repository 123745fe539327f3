/** The space's root key in the hands of who has the recovery words, for the one errand that asked for them. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as RecoveryWords from "../identity/RecoveryWords.ts"
import type { Replica } from "../runtime/Replica.ts"
import type { Author } from "../runtime/Write.ts"
import type * as Authority from "../trust/Authority.ts"
import * as Problem from "./Problem.ts"

/** Whom the words make of somebody: this space's root; others are refused, and so is a space that is not here yet. */
export const authorOf = Effect.fnUntraced(function* (
  replica: Replica,
  words: Redacted.Redacted<string>
): Effect.fn.Return<Root, Problem.Problem> {
  const { authority } = replica.ledger()
  if (authority === undefined) return yield* notFetched
  const seed = RecoveryWords.seed(words)
  if (Result.isFailure(seed)) return yield* invalid(seed.failure.what)
  const device = RecoveryWords.rootOf(seed.success)
  if (device !== authority.genesis.root)
    return yield* invalid("these are recovery words, but not those of this space: they belong to another one")
  const sign = RecoveryWords.signer(seed.success)
  return { authority, author: { device, sign: (message) => Effect.sync(() => sign(message)) } }
})

export interface Root {
  /** As it was when the words were held against it. */
  readonly authority: Authority.Authority
  readonly author: Author
}

const invalid = (what: string): Problem.Problem =>
  Problem.make("WordsInvalid", {
    what,
    allowed: `the ${RecoveryWords.wordCount} English words in their order`,
    do: "compare them with the paper; nothing was changed",
    isUsage: true
  })

const notFetched = Effect.suspend(() =>
  Problem.make("NotFetched", {
    what: "this device does not have the space's founding entry yet",
    do: 'run "aura sync" first'
  })
)
