/** Lies about when: entries from minutes ahead, from before a right ended, from before their author was put out. */
import * as Effect from "effect/Effect"
import * as Clock from "../../journal/Clock.ts"
import * as Voice from "./Voice.ts"

type Sayings = Effect.Effect<ReadonlyArray<Voice.Saying>, unknown>

/** More of entry time than is allowed, but not more than a world lasts: held, and then judged. */
const aheadMillis = 9 * 60_000

export const future = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { knowledge, mallory } = den
    const line = { facts: [Voice.tag("future")], seen: knowledge.seen, time: Voice.timeAt(den, aheadMillis) }
    return [Voice.toAll(yield* Voice.say(Voice.thread(den, mallory, "data"), [line]))]
  })

/** Uses of a right at its last instant, an instant later and long after; told at once, and when it has long ended. */
export const expiry = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { chance, knowledge, mallory } = den
    const { seen, time, until = Voice.timeAt(den, 5_000) } = knowledge
    const lateMillis = Math.min(19_000, Math.ceil((until - time) / Clock.ticksPerMilli) + chance.between(0, 5_000))
    const use = (name: string, at: number): Voice.Line => ({ facts: [Voice.setting(name)], seen, time: at })
    const early = yield* Voice.say(Voice.thread(den, mallory, "data"), [
      use("first", time),
      use("last", until),
      use("too late", until + 1)
    ])
    const late = yield* Voice.say(Voice.thread(den, mallory, "data"), [
      use("backdated", until - 1),
      use("long ended", until + 1_000 * Clock.ticksPerMilli)
    ])
    return [Voice.toAll(early), Voice.toAll(late, { fromMillis: lateMillis })]
  })

/**
 * After it was put out, and as if it had not been: its old feed goes on, other feeds begin with an old header, of data
 * and of authority, which admit, grant and revoke. Some of it is told to one listener alone, or by a friend.
 */
export const backdating = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { chance, knowledge, mallory, puppets } = den
    const { seen, time, victims } = knowledge
    const [late] = puppets.slice(-1)
    const line = (name: string): Voice.Line => ({ facts: [Voice.tag(name)], seen, time })
    const fromMillis = den.expulsionMillis + chance.between(0, 4_000)
    const only = chance.happens(0.5) ? [chance.between(0, den.listeners - 1)] : undefined
    const told = { fromMillis, to: only, by: chance.pick<Voice.Speaker>(["Mallory", "Eve"]) }
    const old = yield* Voice.say(Voice.thread(den, mallory, "data"), [line("old"), line("old")])
    const on = yield* Voice.say(old, [{ ...line("went on"), seen: [] }])
    const second = yield* Voice.say(Voice.thread(den, mallory, "data"), [line("second feed")])
    const facts = [
      ...(late === undefined
        ? []
        : [Voice.admit(late, "Late"), Voice.grant(late.device, Voice.right("note:write", 0))]),
      Voice.grant(mallory.device, Voice.right("setting:write", 1))
    ]
    const authority = yield* Voice.say(Voice.thread(den, mallory, "authority"), [{ facts, seen, time }])
    const victim = chance.pick(victims)
    const verdict = yield* Voice.say(authority, [{ facts: [Voice.revoke(victim, "backdated")], seen: [], time }])
    const resting = { facts: [Voice.tag("late")], seen: Voice.having(seen, authority), time: Voice.timeAt(den, 1) }
    const hers = late === undefined ? [] : [yield* Voice.say(Voice.thread(den, late, "data"), [resting])]
    const after = [on, second, authority, ...(chance.happens(0.5) ? [verdict] : []), ...hers]
    return [Voice.toAll(old), ...after.map((one) => Voice.toAll(one, told))]
  })
