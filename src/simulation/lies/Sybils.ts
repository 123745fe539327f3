/** Lies in numbers: made-up devices that vouch for each other and report everybody, and restrictions without a right. */
import * as Effect from "effect/Effect"
import type * as Entry from "../../journal/Entry.ts"
import * as Clock from "../../journal/Clock.ts"
import * as Budget from "../../trust/Budget.ts"
import * as Fact from "../../trust/Fact.ts"
import * as Voice from "./Voice.ts"

type Sayings = Effect.Effect<ReadonlyArray<Voice.Saying>, unknown>

/** Admits puppets, if it may; all of them trust each other and Mallory, attest that, and report whoever is honest. */
export const sybils = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { eve, knowledge, mallory, puppets } = den
    const { seen, time, victims } = knowledge
    const all = [eve, ...puppets]
    const friends = [mallory, ...all].map(({ device }) => device)
    const vouch = friends.flatMap((device): ReadonlyArray<Entry.Fact> => [
      Fact.encode({ _tag: "Relate", device, level: "High" }),
      Fact.encode({ _tag: "Attest", device, claim: "I know it well" })
    ])
    const accuse = victims.flatMap(({ admission, device }): ReadonlyArray<Entry.Fact> => {
      const about = { device, admission, cut: [], reason: "a puppet says so" }
      return [
        Fact.encode({ ...about, _tag: "Report", severity: "Severe" }),
        Fact.encode({ ...about, _tag: "Lower", level: "None" })
      ]
    })
    const admissions = all.flatMap((one, index) => [
      Voice.admit(one, `puppet ${index}`),
      Voice.grant(one.device, Voice.right("note:write", 0))
    ])
    const first = yield* Voice.say(Voice.thread(den, mallory, "authority"), [
      { facts: [...admissions, ...vouch], seen, time },
      { facts: accuse, seen: [], time }
    ])
    const chorus = yield* Effect.forEach(all, (one) =>
      Voice.say(Voice.thread(den, one, "authority"), [
        { facts: vouch, seen: Voice.having(seen, first), time: Voice.timeAt(den, 1) },
        { facts: accuse, seen: [], time: Voice.timeAt(den, 1) }
      ])
    )
    return [first, ...chorus].map((one, index) => Voice.toAll(one, { by: index % 2 === 0 ? "Mallory" : "Eve" }))
  })

/** Takes from others what it did not give, puts ceilings over them, changes what operations demand, lifts what binds it. */
export const withdrawals = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { chance, knowledge, mallory } = den
    const { grants, restrictions, seen, time, victims } = knowledge
    const reason = "not its own"
    const taken = chance.shuffle(grants).slice(0, 3)
    const facts: ReadonlyArray<ReadonlyArray<Fact.AuthorityFact>> = [
      taken.map(({ device, entry }) => ({ _tag: "Ungrant", device, grant: entry, cut: [], reason })),
      taken.map(({ device, entry }) => {
        const ceiling = [Voice.right("space:read", 0).capability]
        return { _tag: "Refine", device, admission: undefined, grant: entry, ceiling, cut: [], reason }
      }),
      victims.map(({ admission, device }) => ({
        ...{ _tag: "Refine", device, admission, grant: undefined, ceiling: [], cut: [], reason }
      })),
      [Voice.policy("tag", "setting:write", reason), Voice.policy("set", "note:write", reason)],
      restrictions.map(({ entry, index }) => ({ _tag: "Lift", entry, index }))
    ]
    const told = chance.shuffle(facts.filter((some) => some.length > 0)).slice(0, 3)
    const said = yield* Effect.forEach(told, (some) =>
      Voice.say(
        Voice.thread(den, mallory, "authority"),
        some.map((fact) => ({ facts: [Fact.encode(fact)], seen, time }))
      )
    )
    const rest = { seen: Voice.having(seen, ...said), time: Voice.timeAt(den, 1) }
    const resting = yield* Voice.say(Voice.thread(den, mallory, "data"), [
      { ...rest, facts: [Voice.tag("on other terms")] },
      { ...rest, facts: [Voice.setting("on other terms")] }
    ])
    return [...said, resting].map((one) => Voice.toAll(one, { fromMillis: chance.between(0, 15_000) }))
  })

/** Budgets nobody asked it for, the same epoch summed up twice and differently, receipts that belong to others. */
export const receipts = (den: Voice.Den): Sayings =>
  Effect.gen(function* () {
    const { chance, eve, knowledge, mallory } = den
    const { founder, seen, time } = knowledge
    const head = chance.bytes(32)
    const epoch = Budget.epochOf(Clock.toMillis(time))
    const summary = { _tag: "Summary", peer: founder, epoch, receipts: 3, head } as const
    const facts: ReadonlyArray<Fact.AuthorityFact> = [
      { _tag: "Budget", peer: founder, epoch: 1, limit: 0, leases: [] },
      { _tag: "Budget", peer: eve.device, epoch, limit: 1_000, leases: [{ device: mallory.device, amount: 1_000 }] },
      { _tag: "Give", peer: founder, epoch, to: eve.device, amount: 500 },
      { ...summary, spent: 10 },
      { ...summary, spent: 0 },
      { ...summary, spent: 10 }
    ]
    const lines = facts.map((fact) => ({ facts: [Fact.encode(fact)], seen, time }))
    const [one, other] = [
      yield* Voice.say(Voice.thread(den, mallory, "authority"), lines),
      yield* Voice.say(Voice.thread(den, eve, "authority"), lines.toReversed())
    ]
    return [Voice.toAll(one), Voice.toAll(other, { by: "Eve" })]
  })
