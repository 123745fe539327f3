/** `aura space confirm`, `recover` and `seal` at the terminal: what is asked, in which order, before an errand is done. */
import * as Effect from "effect/Effect"
import { randomInt } from "node:crypto"
import { wordCount } from "../identity/RecoveryWords.ts"
import * as Ask from "./Ask.ts"
import type { Output } from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as Recover from "./recover.ts"
import * as Run from "./Run.ts"
import * as Seal from "./seal.ts"
import type { Flags } from "./Settings.ts"
import { confirmedWords } from "./space.ts"

export const confirm = Effect.fnUntraced(function* (flags: Flags, output: Output) {
  const ask = yield* Ask.open
  const numbers = new Set<number>()
  while (numbers.size < confirmedWords) numbers.add(1 + randomInt(wordCount))
  const words: Array<{ readonly number: number; readonly word: ReturnType<typeof Run.secretOf> }> = []
  for (const number of [...numbers].toSorted((a, b) => a - b)) {
    words.push({ number, word: Run.secretOf(yield* ask.line(`word ${number}: `), "recovery word") })
  }
  yield* Run.errand(flags, output, { _tag: "SpaceConfirm", words })
}, Effect.scoped)

interface RecoverOptions {
  readonly revoke: string | null
  readonly cut: string | null
  /** Written without asking. */
  readonly yes: boolean
}

export const recover = Effect.fnUntraced(function* (
  flags: Flags,
  output: Output,
  { cut, revoke, yes }: RecoverOptions
) {
  const ask = yield* Ask.open
  const words = Run.secretOf(yield* allWords(ask), "recovery words")
  const errand = { _tag: "SpaceRecover", words, revoke, cut, isConfirmed: false } as const
  if (!yes) yield* approve(ask, Recover.render(yield* Run.one(flags, output, errand)))
  yield* Run.errand(flags, output, { ...errand, isConfirmed: true })
}, Effect.scoped)

export const seal = Effect.fnUntraced(function* (flags: Flags, output: Output, { yes }: { readonly yes: boolean }) {
  const ask = yield* Ask.open
  const words = Run.secretOf(yield* allWords(ask), "recovery words")
  const errand = { _tag: "SpaceSeal", words, isConfirmed: false } as const
  if (!yes) yield* approve(ask, Seal.renderSeal(yield* Run.one(flags, output, errand)))
  yield* Run.errand(flags, output, { ...errand, isConfirmed: true })
}, Effect.scoped)

/** Nothing is written before somebody has read what would be. */
const approve = Effect.fnUntraced(function* (ask: Ask.Ask, plan: string) {
  process.stderr.write(`${plan}\n`)
  const said = yield* ask.line('Is that what should happen? Type "yes": ')
  if (said.toLowerCase() === "yes") return
  return yield* Problem.make("NotConfirmed", {
    what: "not confirmed, so nothing was written",
    do: 'answer "yes", or give --yes'
  })
})

/** In one line or in several. */
const allWords = Effect.fnUntraced(function* (ask: Ask.Ask) {
  let words: ReadonlyArray<string> = []
  while (words.length < wordCount) {
    const question = words.length === 0 ? `the ${wordCount} recovery words: ` : `${wordCount - words.length} more: `
    const line = yield* ask.line(question)
    if (line === "") break
    words = [...words, ...line.split(/\s+/u)]
  }
  return words.join(" ")
})
