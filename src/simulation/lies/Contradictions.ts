/** Lies by which one says to some what one denies to others: histories that fork, and facts that are kept from people. */
import * as Effect from "effect/Effect"
import * as Voice from "./Voice.ts"

type Sayings = Effect.Effect<ReadonlyArray<Voice.Saying>, unknown>

/** The listeners of each parity. */
const halves = ({ listeners }: Voice.Den): readonly [ReadonlyArray<number>, ReadonlyArray<number>] => {
  const all = Array.from({ length: listeners }, (_, index) => index)
  return [all.filter((index) => index % 2 === 0), all.filter((index) => index % 2 === 1)]
}

/** One data feed with two branches behind an entry that both share. */
export const twoHistories = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { chance, knowledge, mallory } = den
    const from = Voice.thread(den, mallory, "data")
    const shared = { facts: [Voice.tag("shared")], seen: knowledge.seen, time: knowledge.time }
    const branch = (name: string): ReadonlyArray<Voice.Line> => [
      shared,
      ...Array.from({ length: chance.between(1, 3) }, () => ({ ...shared, facts: [Voice.tag(name)], seen: [] }))
    ]
    const [one, other] = [yield* Voice.say(from, branch("one")), yield* Voice.say(from, branch("other"))]
    const [even, odd] = halves(den)
    return [Voice.toAll(one, { to: even }), Voice.toAll(other, { to: odd })]
  })

/** One authority feed with two branches, each of which revokes somebody else: true where it may revoke. */
export const twoVerdicts = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { eve, knowledge, mallory } = den
    const { seen, time, victims } = knowledge
    const from = Voice.thread(den, mallory, "authority")
    const nothing = { facts: [Voice.grant(eve.device, Voice.right("*", 3))], seen, time }
    const verdict = (index: number) => {
      const victim = victims[index % victims.length]
      const facts = victim === undefined ? [] : [Voice.revoke(victim, "a verdict")]
      return Voice.say(from, [nothing, ...facts.map((one) => ({ facts: [one], seen: [], time }))])
    }
    const [one, other] = [yield* verdict(0), yield* verdict(1)]
    const [even, odd] = halves(den)
    return [Voice.toAll(one, { to: even }), Voice.toAll(other, { to: odd })]
  })

/** What it writes goes to everybody; the grant and the admission it rests on to one alone, late, or to nobody. */
export const withholding = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { chance, eve, knowledge, mallory } = den
    const { seen, time } = knowledge
    const facts = [Voice.admit(eve, "Eve"), Voice.grant(eve.device, Voice.right("note:write", 0))]
    const kept = yield* Voice.say(Voice.thread(den, mallory, "authority"), [{ facts, seen, time }])
    const rest = Voice.having(seen, kept)
    const resting = yield* Voice.say(Voice.thread(den, eve, "data"), [
      { facts: [Voice.tag("withheld")], seen: rest, time: Voice.timeAt(den, 1) }
    ])
    const own = yield* Voice.say(Voice.thread(den, mallory, "data"), [
      { facts: [Voice.tag("before")], seen, time },
      { facts: [Voice.tag("behind")], seen: [Voice.end(kept)], time: Voice.timeAt(den, 1) }
    ])
    const to = [chance.between(0, den.listeners - 1)]
    const told = chance.happens(0.7) ? [Voice.toAll(kept, { to, fromMillis: chance.between(3_000, 19_000) })] : []
    return [Voice.toAll(resting), Voice.toAll(own), ...told]
  })

/** An entry that revokes whoever it may, each victim told to somebody else first, when everybody revokes everybody. */
export const storm = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { chance, knowledge, mallory } = den
    const { seen, time, victims } = knowledge
    const sayings: Array<Voice.Saying> = []
    for (const [index, victim] of chance.shuffle(victims).entries()) {
      const facts = [Voice.revoke(victim, "a storm")]
      const one = yield* Voice.say(Voice.thread(den, mallory, "authority"), [{ facts, seen, time }])
      sayings.push(Voice.toAll(one, { to: [index % den.listeners], fromMillis: chance.between(0, 15_000) }))
    }
    return sayings
  })
