/**
 * Random histories of a space, as several devices might have written them, honest and not: admissions, grants,
 * definitions, data valid and invalid, restrictions of every kind with cuts, root's too, lifts, seals, settlements, closings, forks of data and of authority (also
 * forks of forks, and of data settled on by anybody, rightly or not), repeated idempotency keys, times far ahead. One seed is one history; keys and values come from pools of three, so that things collide.
 */
import * as Result from "effect/Result"
import type { Keys } from "../../src/effects/Keys.ts"
import { definitionId, entryHash, feedId, type EntryHash, type FeedId, type SpaceId } from "../../src/identity/Id.ts"
import * as Clock from "../../src/journal/Clock.ts"
import type { Fact as EntryFact } from "../../src/journal/Entry.ts"
import type { Position } from "../../src/journal/Feed.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Definition from "../../src/trust/Definition.ts"
import * as Fact from "../../src/trust/Fact.ts"
import * as Policy from "../../src/trust/Policy.ts"
import * as Fixtures from "./fixtures.ts"

export interface History {
  readonly space: SpaceId
  /** Every branch of every feed; a forked feed has two. */
  readonly scripts: ReadonlyArray<Fixtures.Script>
}

/** Chance from a seed; the same on every machine. */
export interface Dice {
  /** An integer from 0 up to, not including, `sides`. */
  readonly roll: (sides: number) => number
  readonly pick: <A>(from: ReadonlyArray<A>) => A
  readonly shuffled: <A>(items: ReadonlyArray<A>) => Array<A>
}

export const dice = (seed: number): Dice => {
  let state = (seed * 2_654_435_761 + 1) >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const roll = (sides: number): number => Math.floor(next() * sides)
  return {
    roll,
    pick: (from) => from[roll(from.length)]!,
    shuffled: (items) => {
      const result = [...items]
      for (let i = result.length - 1; i > 0; i--) {
        const j = roll(i + 1)
        ;[result[i], result[j]] = [result[j]!, result[i]!]
      }
      return result
    }
  }
}

/** A second version that some device may define: without it nobody may use it. */
const nextVersion = Result.getOrThrow(
  Definition.make({
    app: "kv",
    version: 2,
    fields: { entries: { kind: "LWWMap", value: { kind: "string", maxLength: 16_000 } } },
    operations: {
      "kv.set": { writes: ["entries/{key}:set"], policy: Policy.make({ capabilities: [] }), resource: undefined }
    }
  })
)

/** One device with its feeds and what it has seen of others' authority feeds. */
interface Person {
  readonly keys: Keys["Service"]
  readonly authority: Fixtures.Script
  readonly data: Array<Fixtures.Script>
  readonly seen: Map<FeedId, Position>
  /** What of `seen` each of its feeds has named already. */
  readonly named: Map<Fixtures.Script, Map<FeedId, number>>
}

const cast = [Fixtures.alice, Fixtures.bob, Fixtures.carol, Fixtures.mallory]
const capabilities = ["*", "kv:write", "kv:admin", "device:admit", "device:revoke", "device:rollback", "app:define"]
const policies = [
  Policy.make({ capabilities: ["kv:admin"] }),
  Policy.make({ minTrust: "Medium" }),
  Policy.make({ attestations: 1 }),
  Policy.make({ capabilities: [] }),
  undefined
]
const keyPool = ["x", "y", "z"]

/** A history of so many steps; a shorter one of the same seed is its beginning. */
export const history = (seed: number, steps: number): History => {
  const { roll, pick } = dice(seed)
  const devices = 2 + roll(3)
  const { authority, space } = Fixtures.founded([[Fixtures.bob, Fixtures.right("*", 1)]], seed % 250)
  const people = cast.slice(0, devices).map((keys, i): Person => {
    const own = i === 0 ? authority : Fixtures.script(space, keys, "authority")
    return { keys, authority: own, data: [Fixtures.script(space, keys, "data")], seen: new Map(), named: new Map() }
  })
  const root: Person = {
    keys: Fixtures.root,
    authority: Fixtures.script(space, Fixtures.root, "authority"),
    data: [],
    seen: new Map(),
    named: new Map()
  }
  /** Further histories of data feeds. */
  const forks: Array<Fixtures.Script> = []
  /** The histories of data feeds that forked. */
  const forked: Array<Fixtures.Script> = []
  /** Further histories of authority feeds, with who wrote them. */
  const branches: Array<Person> = []
  const admissions = new Map<string, Array<Position>>([
    [Fixtures.alice.device, [Fixtures.head(authority, 0)]],
    [Fixtures.bob.device, [Fixtures.head(authority, 1)]]
  ])
  const timeBySeen = new Map<EntryHash, number>()
  const remember = (of: Fixtures.Script): void => {
    for (const { hash, time } of of.entries) timeBySeen.set(entryHash(hash), time)
  }
  remember(authority)

  const look = (who: Person): void => {
    for (const other of [...people, ...branches, root]) {
      if (other.keys === who.keys || other.authority.entries.length === 0 || roll(3) === 0) continue
      const known = who.seen.get(other.authority.feed.id)?.seq ?? -1
      const seq = roll(2) === 0 ? other.authority.entries.length - 1 : roll(other.authority.entries.length)
      if (seq > known) who.seen.set(other.authority.feed.id, Fixtures.head(other.authority, seq))
    }
  }

  const say = (
    who: Person,
    to: Fixtures.Script,
    facts: ReadonlyArray<EntryFact>,
    more: Partial<Fixtures.Said> = {}
  ): Position => {
    const named = who.named.get(to) ?? new Map<FeedId, number>()
    who.named.set(to, named)
    const seen: Array<Position> = []
    const all = to.feed.kind === "data" && who.authority.entries.length > 0 ? [Fixtures.head(who.authority)] : []
    for (const position of [...who.seen.values(), ...all]) {
      if ((named.get(position.feed) ?? -1) >= position.seq) continue
      if (roll(12) === 0) continue
      seen.push(position)
      named.set(position.feed, position.seq)
    }
    const above = Math.max(
      to.entries.at(-1)?.time ?? to.feed.time,
      ...seen.map((position) => timeBySeen.get(position.hash) ?? 0)
    )
    // now and then not above what it has seen; two in three times a time that others may choose too
    const own = to.entries.at(-1)?.time ?? to.feed.time
    const time = roll(25) === 0 ? own + 1 : above + 1 + (roll(3) === 0 ? 0 : (4 - ((above + 1) % 4)) % 4)
    const position = Fixtures.say(to, { facts, seen, time, ...more })
    remember(to)
    return position
  }

  const cutOf = (target: Person): ReadonlyArray<Position> =>
    [target.authority, ...target.data].flatMap((script) => {
      if (script.entries.length === 0 || roll(5) === 0) return []
      const seq = roll(2) === 0 ? script.entries.length - 1 : roll(script.entries.length)
      return [Fixtures.head(script, seq)]
    })

  /** Grants and restrictions that somebody wrote, right or wrong, for others to name. */
  const written: { readonly [kind in "grants" | "restrictions"]: Array<Position> } = { grants: [], restrictions: [] }

  /** Anything that takes something without putting anybody out, takes that back, or says what stays. */
  const limit = (who: Person, target: Person): void => {
    const { device } = target.keys
    const said = { cut: roll(3) === 0 ? [] : people.flatMap(cutOf), reason: "so" }
    const admission = pick(admissions.get(device) ?? [...admissions.values()][0]!).hash
    const grant = pick(written.grants.length > 0 ? written.grants : [Fixtures.head(authority, 1)]).hash
    const feed = pick(people.flatMap((person) => [person.authority, ...person.data]))
    const places = people.flatMap(cutOf)
    const facts: ReadonlyArray<Fact.AuthorityFact | undefined> = [
      { _tag: "Ungrant", device, grant, ...said },
      { _tag: "Refine", device, admission, grant: undefined, ceiling: [capability(pick(capabilities))], ...said },
      { _tag: "Refine", device, admission: undefined, grant, ceiling: [capability("kv:write")], ...said },
      { _tag: "SetPolicy", app: "kv", operation: pick(["kv.set", "kv.add"]), policy: pick(policies), ...said },
      { _tag: "Lower", device, admission, level: pick(["None", "Low", "Medium"] as const), ...said },
      { _tag: "Report", device, admission, severity: pick(["Minor", "Major", "Severe"] as const), ...said },
      { _tag: "Relate", device, level: pick(["Medium", "High"] as const) },
      { _tag: "Attest", device, claim: "known" },
      written.restrictions.length === 0
        ? undefined
        : { _tag: "Lift", entry: pick(written.restrictions).hash, index: 0 },
      { _tag: "Seal", positions: places, digest: new Uint8Array(32) },
      feed.entries.length === 0 ? undefined : { _tag: "Settle", ...Fixtures.head(feed, roll(feed.entries.length)) }
    ]
    // what only root may is rare enough
    const fact = pick(who === root && roll(4) > 0 ? facts.slice(-3) : facts)
    if (fact === undefined) return
    const at = say(who, who.authority, [Fixtures.fact(fact)])
    if (Fact.isRestriction(fact)) written.restrictions.push(at)
  }

  const govern = (who: Person): void => {
    const target = pick(people)
    const rights = [Fixtures.right(pick(capabilities), roll(3)), Fixtures.right(pick(capabilities), roll(2))]
    switch (who === root && roll(2) === 0 ? 6 : roll(9)) {
      case 6:
      case 7:
      case 8:
        return limit(who, target)
      case 0:
      case 1: {
        const admission = say(who, who.authority, Fixtures.admit(target.keys, ...rights))
        written.grants.push(admission)
        admissions.set(target.keys.device, [...(admissions.get(target.keys.device) ?? []), admission])
        return
      }
      case 2:
        written.grants.push(
          say(who, who.authority, [Fixtures.fact({ _tag: "Grant", device: target.keys.device, rights })])
        )
        return
      case 3:
        say(who, who.authority, [
          Fixtures.fact({ _tag: "Define", definition: pick([Fixtures.definition, nextVersion]) }),
          ...(roll(2) === 0
            ? [
                { type: "aura.later.thing", payload: 1 },
                { type: "aura.device.admit", payload: {} }
              ]
            : [])
        ])
        return
      default: {
        const admission = admissions.get(target.keys.device)
        if (admission === undefined) return
        written.restrictions.push(
          say(who, who.authority, [Fixtures.revoke(target.keys.device, pick(admission), cutOf(target))])
        )
      }
    }
  }

  const speak = (who: Person): void => {
    const to = pick(who.data)
    const key = pick(keyPool)
    const value = `${who.keys.device.slice(0, 2)}${to.entries.length}`
    const farAhead = (to.entries.at(-1)?.time ?? to.feed.time) + Clock.ticksPerMilli * 3_600_000
    switch (roll(20)) {
      case 0:
        return void Fixtures.sayBytes(to, Uint8Array.of(1, 2, 3))
      case 1:
        return void say(who, to, [{ type: "kv.unknown", payload: [] }])
      case 2:
        return void say(who, to, [
          { type: "kv.set", payload: pick([7, [["set", "nothing", "x", "y"]], [["add", "count", 1]]]) }
        ])
      case 3:
        return void say(who, to, [Fixtures.set(key, value)], {
          definition: pick([nextVersion.id, undefined, definitionId(new Uint8Array(32))])
        })
      case 4:
        return void (roll(3) === 0 && say(who, to, [Fixtures.add(100)], { time: farAhead }))
      case 5:
        return void (
          roll(4) === 0 &&
          say(who, to, [Fixtures.add(1000)], {
            seen: [{ feed: feedId(new Uint8Array(32)), seq: 0, hash: entryHash(new Uint8Array(32)) }]
          })
        )
      case 6:
        return void say(who, to, [{ type: "kv.name", payload: [["add", "names", key]] }])
      case 7:
        return void say(who, to, [Fixtures.add(10)], { request: { requester: pick(people).keys.device, key } })
      case 8:
      case 9:
      case 10:
        return void say(who, to, [Fixtures.add(10)], { request: { requester: who.keys.device, key } })
      case 11:
      case 12:
        return void say(who, to, [Fixtures.add(1), Fixtures.set(key, value)])
      default:
        return void say(who, to, [Fixtures.set(key, value)])
    }
  }

  for (let step = 0; step < steps; step++) {
    const who = roll(12) === 0 ? root : pick(people)
    if (roll(3) === 0) look(who)
    const kind = roll(20)
    if (who === root || kind < 4) govern(who)
    else if (kind === 4) {
      const old = pick(who.data)
      const closes = old.entries.length > 0 && roll(2) === 0 ? Fixtures.head(old, roll(old.entries.length)) : undefined
      who.data.push(
        Fixtures.script(space, who.keys, "data", {
          nonce: 1 + who.data.length,
          ...(closes === undefined ? {} : { closes })
        })
      )
    } else if (kind === 5 && roll(2) === 0 && forks.length < 3) {
      const old = pick(roll(3) === 0 && forks.length > 0 ? forks : who.data)
      const other = Fixtures.branch(old, roll(old.entries.length + 1))
      who.named.set(other, new Map(who.named.get(old)))
      for (let i = 0; i < 1 + roll(3); i++) say(who, other, [Fixtures.add(10_000), Fixtures.set(pick(keyPool), "fork")])
      forks.push(other)
      forked.push(old, other)
    } else if (kind === 7 && forked.length > 0 && roll(2) === 0) {
      const on = pick(forked)
      const settler = roll(3) === 0 ? root : pick(people)
      if (on.entries.length > 0)
        say(settler, settler.authority, [
          Fixtures.fact({
            _tag: "Settle",
            ...Fixtures.head(on, on.entries.length - 1 - roll(Math.min(4, on.entries.length)))
          })
        ])
    } else if (kind === 6 && roll(2) === 0 && branches.length < 4) {
      const old = pick([who, ...branches])
      if (old.authority.entries.length === 0) continue
      const other = Fixtures.branch(old.authority, roll(old.authority.entries.length + 1))
      const liar: Person = { ...old, authority: other, seen: new Map(old.seen), named: new Map() }
      liar.named.set(other, new Map(who.named.get(old.authority)))
      for (let i = 0; i < 1 + roll(3); i++) govern(liar)
      branches.push(liar)
    } else speak(who)
  }
  const authorities = branches.map(({ authority }) => authority)
  const honest = people.flatMap((person) => [person.authority, ...person.data])
  const scripts = [root.authority, ...honest, ...authorities, ...forks]
  return { space, scripts: scripts.filter((script) => script.entries.length > 0) }
}
