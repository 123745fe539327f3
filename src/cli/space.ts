/**
 * `aura space words` and `aura space confirm`: the recovery words of a space that this device founded.
 *
 * Until three of them were typed back, the words can be shown again; then their seed is deleted here, and the paper is
 * the only copy. Which three is for the caller to choose at random: the point is that somebody reads the paper.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as RootSeed from "./RootSeed.ts"
import { table } from "./Text.ts"

/** Words that have to be typed back. */
export const confirmedWords = 3

export const show = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const seed = yield* RootSeed.read(office)
  if (seed === undefined) return yield* noSeed
  yield* voice.data({ words: [...RootSeed.wordsOf(seed)] })
})

export const confirm = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"SpaceConfirm">, voice: Voice) {
  const seed = yield* RootSeed.read(office)
  if (seed === undefined) return yield* noSeed
  const words = RootSeed.wordsOf(seed)
  const numbers = new Set(errand.words.map(({ number }) => number))
  const wrong = errand.words.filter(
    ({ number, word }) => words[number - 1] !== Redacted.value(word).trim().toLowerCase()
  )
  if (numbers.size < confirmedWords || wrong.length > 0) {
    return yield* Problem.make("WordsWrong", {
      what:
        wrong.length > 0
          ? `not what was shown: word ${wrong.map(({ number }) => number).join(", ")}`
          : `${confirmedWords} different words are needed`,
      do: '"aura space words" shows them again; nothing was deleted',
      isUsage: true
    })
  }
  yield* RootSeed.forget(office)
  yield* voice.data({ confirmed: true })
})

const noSeed = Effect.suspend(() =>
  Problem.make("WordsNotHere", {
    what: "the recovery words are not on this device: they were confirmed, or another device founded the space",
    do: "look at the paper they were written on; nobody can show them again"
  })
)

const Words = Schema.Struct({ words: Schema.Array(Schema.String) })
const columns = 4

export const renderWords = (data: Data): string => {
  const { words } = Schema.decodeUnknownSync(Words)(data)
  return sheet(words)
}

/** Numbered, in rows of four. */
export const sheet = (words: ReadonlyArray<string>): string =>
  table(
    Array.from({ length: Math.ceil(words.length / columns) }, (_, row) =>
      words
        .slice(row * columns, (row + 1) * columns)
        .map((word, column) => `${String(row * columns + column + 1).padStart(2)} ${word}`)
    )
  )

export const renderConfirmed = (_data: Data): string =>
  "confirmed: the root key is deleted here, the paper is the only copy"
