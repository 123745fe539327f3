/**
 * How hostile a world is, drawn from its seed beside its story: what the liar may and tells, and how the honest, too, use
 * authority against each other.
 *
 * It changes a story that was drawn without it: gives the liar rights that are nearly enough for its lies, lets rights end
 * while people work, puts the liar out, and has several who may revoke do so at once while they do not hear each other.
 */
import type { Right } from "../trust/Right.ts"
import * as Chance from "./Chance.ts"
import type { Fault, Plan } from "./Faults.ts"
import { lieKinds, type LieKind } from "./Liar.ts"
import { right } from "./lies/Voice.ts"
import type { Statement } from "./Statements.ts"
import type { Incident, Person, Story } from "./Story.ts"

/** Somebody gives somebody a right that ends while the world lasts. */
export interface Gift {
  readonly by: string
  readonly to: string
  readonly rights: ReadonlyArray<Right>
  /** How long after it is given it ends. */
  readonly lastsMillis: number
}

type Saying = Extract<Incident, { readonly _tag: "Say" }>

export interface Hostility {
  readonly lies: ReadonlyArray<LieKind>
  readonly gifts: ReadonlyArray<Gift>
  /** What people said of each other before the lying began. */
  readonly before: ReadonlyArray<Saying>
  /** When somebody means to put the liar out. */
  readonly expulsionMillis: number
  /** Part of the plan of faults: who does not hear whom while everybody revokes everybody. */
  readonly events: Plan["events"]
}

const reading = right("space:read", 1)

/** Each is nearly enough for some lie. */
const liarRights: ReadonlyArray<ReadonlyArray<Right>> = [
  [right("note:write", 0), right("space:read", 0)],
  [right("note:write", 0), right("space:read", 0), right("device:revoke", 0)],
  [right("note:write", 0), right("device:admit", 0), reading],
  [right("note:write", 1), right("device:admit", 1), reading],
  [right("note:write", 2), right("setting:write", 0), right("device:admit", 2), right("device:revoke", 1), reading],
  [
    right("note:write", 0),
    right("note:write/notes/*", 3),
    right("setting:write/x", 3),
    right("device:admit", 0),
    reading
  ],
  [right("*", 0), right("device:admit", 1), right("note:write/*", 2), reading]
]

export const draw = (seed: number, safetyMillis: number, story: Story): Hostility & { readonly story: Story } => {
  const chance = Chance.make(seed, "hostility")
  const isHostile = story.liar !== undefined || chance.happens(0.6)
  const expulsionMillis = chance.between(1_000, safetyMillis * 0.6)
  if (!isHostile) return { lies: [], gifts: [], before: [], expulsionMillis, events: [], story }
  const words = Chance.make(seed, "hostility/words")
  const before = drawBefore(words)
  const lies = lieKinds.filter(() => chance.happens(0.35))
  const gifts = drawGifts(chance, safetyMillis)
  const cast = castOf(story, chance, gifts)
  const storm = chance.happens(0.25) ? drawStorm(chance, safetyMillis) : { incidents: [], events: [] }
  const incidents = [
    ...story.incidents,
    ...storm.incidents,
    ...drawStatements(words, safetyMillis, gifts),
    ...(lies.includes("two histories") ? drawSettlements(Chance.make(seed, "hostility/settling"), safetyMillis) : []),
    ...(chance.happens(0.6) ? drawExpulsion(chance, expulsionMillis, safetyMillis) : [])
  ]
  return {
    lies,
    gifts,
    before,
    expulsionMillis,
    events: storm.events,
    story: { ...story, cast, incidents: incidents.toSorted((a, b) => a.atMillis - b.atMillis), liar: "Mallory" }
  }
}

/** With a liar among them, and such as are given something holding no more than that of it. */
const castOf = (story: Story, chance: Chance.Chance, gifts: ReadonlyArray<Gift>): ReadonlyArray<Person> => {
  const mallory = { name: "Mallory", invitedBy: "Alice", rights: chance.pick(liarRights), paceMillis: 1_000 }
  const honest = story.cast.filter(({ name }) => name !== mallory.name)
  return [
    ...honest.map((person) =>
      person.name === "Carol" && gifts.length > 0
        ? { ...person, rights: [right("note:write", 0), right("space:read", 0)] }
        : person
    ),
    mallory
  ]
}

const drawGifts = (chance: Chance.Chance, safetyMillis: number): ReadonlyArray<Gift> => {
  if (chance.happens(0.4)) return []
  const lastsMillis = chance.between(2_000, safetyMillis * 0.9)
  const rights = [right("setting:write", chance.pick([0, 1]))]
  return [
    { by: "Alice", to: "Carol", rights, lastsMillis },
    { by: chance.pick(["Alice", "Bob"]), to: "Mallory", rights, lastsMillis }
  ]
}

type Incidents = Array<Story["incidents"][number]>

/** Whom people trust from the start, and what binds the liar then. */
const drawBefore = (chance: Chance.Chance): ReadonlyArray<Saying> => {
  const say = (by: string, what: Statement, who: string): Saying => ({ _tag: "Say", by, what, who })
  return [
    ...(chance.happens(0.7)
      ? [say("Alice", "trusts", "Bob"), say("Alice", "trusts", "Carol"), say("Bob", "trusts", "Carol")]
      : []),
    ...(chance.happens(0.3) ? [say("Alice", "trusts", "Mallory")] : []),
    ...(chance.happens(0.3) ? [say("Alice", "sets a ceiling over", "Mallory")] : []),
    ...(chance.happens(0.2) ? [say("Alice", "demands more for tags than before, not of", "Mallory")] : [])
  ]
}

/** What honest people say of the others and of the liar, kind by kind. */
const drawStatements = (
  chance: Chance.Chance,
  safetyMillis: number,
  gifts: ReadonlyArray<Gift>
): ReadonlyArray<Incidents[number]> => {
  const say = (by: string, what: Statement, who: string, from = 0, to = safetyMillis * 0.9): Incidents => [
    { atMillis: chance.between(from, Math.max(from, to)), incident: { _tag: "Say", by, what, who } }
  ]
  const honest = ["Alice", "Bob", "Carol"]
  const closings = gifts.flatMap(({ by, lastsMillis, to }) =>
    chance.happens(0.5) ? say(by, "withdraws what it granted to", to, Math.min(lastsMillis, safetyMillis)) : []
  )
  const trusting = chance.happens(0.5)
    ? [
        ...say("Carol", chance.pick(["trusts", "vouches for", "lowers"]), "Bob"),
        ...say("Alice", chance.pick(["trusts", "lowers"]), "Mallory"),
        ...honest.flatMap((by) => (chance.happens(0.9) ? say(by, "reports", "Mallory", 0, 8_000) : []))
      ]
    : []
  const [one = "Alice", other = "Bob"] = chance.shuffle(honest)
  const ceilings = chance.happens(0.3)
    ? [...say(one, "sets a ceiling over", other), ...say(one, "lifts what it laid on", other, 8_000)]
    : []
  const demands = chance.happens(0.3)
    ? [
        ...say(one, "demands more for tags than before, not of", other),
        ...say(other, "demands more for tags than before, not of", one),
        ...say("Alice", "demands for tags what was demanded at first, not of", other, 8_000)
      ]
    : []
  const withdrawals = chance.happens(0.25)
    ? say("Alice", "withdraws what it granted to", chance.pick(["Bob", "Carol", "Mallory"]))
    : []
  return [...closings, ...trusting, ...ceilings, ...demands, ...withdrawals]
}

/** Who finds two histories says which one counts; two of them may not say the same. */
const drawSettlements = (chance: Chance.Chance, safetyMillis: number): Incidents =>
  chance.happens(0.3)
    ? []
    : chance
        .shuffle(["Alice", "Bob", "Carol"])
        .slice(0, chance.pick([1, 1, 2]))
        .map((by) => ({
          atMillis: chance.between(2_000, safetyMillis * 0.9),
          incident: { _tag: "Say", by, what: "settles the feeds of", who: "Mallory" }
        }))

/** Somebody honest puts the liar out; whoever has the recovery words may do it again, and takes back what it revoked. */
const drawExpulsion = (chance: Chance.Chance, atMillis: number, safetyMillis: number): Incidents => {
  const expel = (by: string): Incidents[number] => ({ atMillis, incident: { _tag: "Revoke", by, who: "Mallory" } })
  const recover: Incident = { _tag: "Recover", who: "Mallory", at: chance.pick(["Alice", "Bob"]) }
  return [
    expel(chance.pick(["Alice", "Bob"])),
    ...(chance.happens(0.3) ? [expel("Carol")] : []),
    ...(chance.happens(0.4) ? [{ atMillis: chance.between(atMillis, safetyMillis), incident: recover }] : [])
  ]
}

/** Everybody revokes the next, nobody hears the others; root may name a survivor. */
const drawStorm = (
  chance: Chance.Chance,
  safetyMillis: number
): { readonly incidents: Incidents; readonly events: Plan["events"] } => {
  const circle = chance.shuffle(["Alice", "Bob", "Carol", ...(chance.happens(0.5) ? ["Mallory"] : [])])
  const atMillis = chance.between(1_000, safetyMillis * 0.7)
  const incidents = circle.flatMap((by, index): Incidents => {
    const who = circle[(index + 1) % circle.length]!
    const revoke: Incident = { _tag: "Revoke", by, who }
    return by === "Mallory" ? [] : [{ atMillis: atMillis + chance.between(0, 1_000), incident: revoke }]
  })
  const survivor = chance.pick(["Alice", "Bob"])
  const recovered = chance.happens(0.5) ? circle.filter((name) => name !== survivor) : []
  for (const who of recovered) {
    const at = atMillis + chance.between(2_000, 8_000)
    incidents.push({ atMillis: at, incident: { _tag: "Recover", who, at: survivor } })
  }
  const apart: Fault = { _tag: "Partition", groups: circle.map((name) => [name]) }
  const events = [
    { atMillis: Math.max(0, atMillis - 500), fault: apart },
    { atMillis: atMillis + chance.between(1_000, 4_000), fault: { _tag: "Mend" } as const }
  ]
  return { incidents, events: chance.happens(0.7) ? events : [] }
}

export const describe = ({ before, events, expulsionMillis, gifts, lies }: Hostility): string =>
  [
    `hostility: ${lies.join(", ") || "none"}`,
    ...(lies.includes("backdating") ? [`  backdates from ${expulsionMillis} ms on`] : []),
    ...gifts.map(({ by, lastsMillis, rights, to }) => {
      const what = rights.map(({ capability, depth }) => `${capability} (${depth})`).join(", ")
      return `  ${by} gives ${to} ${what} for ${lastsMillis} ms`
    }),
    ...before.map(({ by, what, who }) => `  before: ${by} ${what} ${who}`),
    ...events.map(({ atMillis, fault }) => `  ${atMillis} ms: ${fault._tag}`)
  ].join("\n")
