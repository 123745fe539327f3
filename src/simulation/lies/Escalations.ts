/** Lies by which a member would gain what nobody gave it: claims, circles, chains that are too long, rights put together. */
import * as Effect from "effect/Effect"
import type { Keys } from "../../effects/Keys.ts"
import * as Clock from "../../journal/Clock.ts"
import * as Voice from "./Voice.ts"

type Sayings = Effect.Effect<ReadonlyArray<Voice.Saying>, unknown>

const everything = Voice.right("*", 3)

/** Everything to itself, a friend in, the founder out, and a setting on the strength of it. */
export const claims = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { eve, knowledge, mallory } = den
    const { founder, founding, seen, time } = knowledge
    const facts = [
      Voice.grant(mallory.device, everything),
      Voice.admit(eve, "Eve"),
      Voice.grant(eve.device, everything),
      Voice.revoke({ device: founder, admission: founding, cut: [] }, "a lie")
    ]
    const claimed = yield* Voice.say(Voice.thread(den, mallory, "authority"), [{ facts, seen, time }])
    const later = { seen: Voice.having(seen, claimed), time: Voice.timeAt(den, 1) }
    const takeover = yield* Voice.say(Voice.thread(den, mallory, "data"), [
      { ...later, facts: [Voice.setting("taken over")] }
    ])
    const intrusion = yield* Voice.say(Voice.thread(den, eve, "data"), [{ ...later, facts: [Voice.tag("Eve")] }])
    return [claimed, takeover, intrusion].map((one) => Voice.toAll(one))
  })

/** Three who grant each other everything, in circles, as often as helps. */
export const circles = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { chance, eve, knowledge, mallory, puppets } = den
    const circle = [mallory, eve, puppets[0] ?? eve]
    const feeds = circle.map((keys) => Voice.thread(den, keys, "authority"))
    const sayings: Array<Voice.Saying> = []
    let seen = knowledge.seen
    const turns = chance.between(3, 6)
    for (let turn = 0; turn < turns; turn++) {
      const [from, to] = [turn % 3, (turn + 1) % 3]
      const given = ["note:write", "setting:write", "space:read"].map((text) => Voice.right(text, 6 - turn))
      const facts = [
        ...(turn < 2 ? [Voice.admit(circle[to]!, `friend ${turn}`)] : []),
        Voice.grant(circle[to]!.device, ...given)
      ]
      const said = yield* Voice.say(feeds[from]!, [{ facts, seen, time: Voice.timeAt(den, turn + 1) }])
      feeds[from] = said
      seen = Voice.having(seen, said)
      sayings.push(Voice.toAll(said, { by: from === 0 ? "Mallory" : "Eve" }))
    }
    return [...sayings, ...(yield* deeds(den, circle, seen, turns + 2))]
  })

/** A chain of devices that each admit and empower the next, whatever depth they were given. */
export const chains = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { chance, eve, knowledge, mallory, puppets } = den
    const chain = [mallory, eve, ...puppets]
    const sayings: Array<Voice.Saying> = []
    let seen = knowledge.seen
    for (const [index, next] of chain.slice(1).entries()) {
      const given = ["note:write", "device:admit", "setting:write"].map((text) =>
        Voice.right(text, chance.pick([0, 1, 5]))
      )
      const facts = [Voice.admit(next, `link ${index}`), Voice.grant(next.device, ...given)]
      const said = yield* Voice.say(Voice.thread(den, chain[index]!, "authority"), [
        { facts, seen, time: Voice.timeAt(den, index + 1) }
      ])
      seen = Voice.having(seen, said)
      sayings.push(Voice.toAll(said))
    }
    return [...sayings, ...(yield* deeds(den, chain, seen, chain.length + 2))]
  })

/** Passes on what it holds widely by the depth of what it holds narrowly, and grants itself the one by the other. */
export const joining = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { eve, knowledge, mallory } = den
    const { seen, time } = knowledge
    const wide = [Voice.right("note:write", 2), Voice.right("setting:write", 2), Voice.right("device:admit", 1)]
    const facts = [Voice.admit(eve, "Eve"), Voice.grant(eve.device, ...wide), Voice.grant(mallory.device, ...wide)]
    const joined = yield* Voice.say(Voice.thread(den, mallory, "authority"), [{ facts, seen, time }])
    return [Voice.toAll(joined), ...(yield* deeds(den, [mallory, eve], Voice.having(seen, joined), 2))]
  })

/** Passes on for ever what it holds for a while, before and after that ended, and takes it back from its friend. */
export const stretching = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { eve, knowledge, mallory } = den
    const { seen, time } = knowledge
    const ended = knowledge.until ?? Voice.timeAt(den, 5_000)
    const lasting = [Voice.right("setting:write", 2), Voice.right("note:write", 2)]
    const given = yield* Voice.say(Voice.thread(den, mallory, "authority"), [
      { facts: [Voice.admit(eve, "Eve"), Voice.grant(eve.device, ...lasting)], seen, time }
    ])
    const back = yield* Voice.say(Voice.thread(den, eve, "authority"), [
      { facts: [Voice.grant(mallory.device, ...lasting)], seen: Voice.having(seen, given), time: time + 10 }
    ])
    const late = yield* Voice.say(given, [
      { facts: [Voice.grant(eve.device, ...lasting)], seen: [Voice.end(back)], time: ended + 1 }
    ])
    const after = Math.ceil((ended - time) / Clock.ticksPerMilli) + 1
    const [one, other] = [Voice.having(seen, given, back), Voice.having(seen, late, back)]
    return [
      ...[given, back, late].map((thread) => Voice.toAll(thread)),
      ...(yield* deeds(den, [mallory, eve], one, after)),
      ...(yield* deeds(den, [mallory, eve], other, after + 1))
    ]
  })

/** What each of these devices writes on the strength of what was said. */
const deeds = (
  den: Voice.Den,
  devices: ReadonlyArray<Keys["Service"]>,
  seen: Voice.Line["seen"],
  millis: number
): Sayings =>
  Effect.forEach(devices, (keys, index) =>
    Effect.map(
      Voice.say(Voice.thread(den, keys, "data"), [
        { facts: [Voice.tag(`deed ${index}`)], seen, time: Voice.timeAt(den, millis) },
        { facts: [Voice.setting(`deed ${index}`)], seen: [], time: Voice.timeAt(den, millis) }
      ]),
      (said) => Voice.toAll(said, { by: index === 1 ? "Eve" : "Mallory" })
    )
  )
