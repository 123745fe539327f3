/**
 * Three devices have any parts of a feed's histories, forks of forks among them, and more of them comes to any of the three
 * while they talk. One seed is one such case.
 *
 *     Alice ── Carol ── Dave        In the end: does each know all that any knew, and are they quiet?
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import {
  account,
  agentOn,
  alice,
  bob,
  branch,
  carol,
  during,
  fact,
  founded,
  head,
  installation,
  keysOf,
  pass,
  revoke,
  right,
  runOf,
  say,
  script,
  until,
  type Script
} from "./fixtures.ts"
import { dice, type Dice } from "./histories.ts"

const dave = keysOf(5)
const erin = keysOf(6)

/** Bob's authority feed in up to seven histories; some of what he says puts Erin out. */
const told = ({ pick, roll }: Dice) => {
  const { authority, space } = founded([bob, carol, dave, erin].map((keys) => [keys, right("*", 1)]))
  const grant = fact({ _tag: "Grant", device: carol.device, rights: [right("kv:write")] })
  let time = authority.entries.at(-1)!.time
  const more = (to: Script, count: number): Script => {
    for (let i = 0; i < count; i++) {
      time += 1 + roll(3)
      const facts = roll(6) === 0 ? [revoke(erin.device, head(authority, 4), [])] : [grant]
      say(to, { facts, seen: to.entries.length === 0 ? [head(authority)] : [], time })
    }
    return to
  }
  const histories = [more(script(space, bob, "authority"), 1 + roll(14))]
  for (let forks = 1 + roll(6); forks > 0; forks--) {
    const of = pick(histories)
    histories.push(more(branch(of, roll(of.entries.length + 1)), 1 + roll(8)))
  }
  return { authority, space, histories }
}

/** The first so many entries in runs of any one size. */
const inRuns = (of: Script, upTo: number, { roll }: Dice) => {
  const size = 1 + roll(5)
  return Array.from({ length: Math.ceil(upTo / size) }, (_, i) =>
    runOf(of, i * size, Math.min(upTo, (i + 1) * size) - 1)
  )
}

const spread = (seed: number) =>
  Effect.gen(function* () {
    const chance = dice(seed)
    const { pick, roll } = chance
    const { authority, histories, space } = told(chance)
    const sides = [alice, carol, dave].map((keys) => installation(keys))
    for (const on of sides)
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          yield* replica.receive([runOf(authority)])
          for (const of of histories) {
            if (roll(2) === 0) continue
            const runs = inRuns(of, 1 + roll(of.entries.length), chance)
            if (roll(2) === 0) yield* replica.receive(runs)
            else for (const run of runs) yield* replica.receive([run])
          }
        })
      )
    const live = yield* Effect.scoped(
      Effect.gen(function* () {
        const hub = MemoryNetwork.hub()
        const [one, two, three] = [
          yield* agentOn(sides[0]!, hub, "alice"),
          yield* agentOn(sides[1]!, hub, "carol"),
          yield* agentOn(sides[2]!, hub, "dave")
        ]
        const links = [yield* two.connect("alice", alice.device)]
        for (let passes = roll(40); passes > 0; passes--) yield* pass
        links.push(yield* three.connect("carol", carol.device))
        if (roll(3) === 0) links.push(yield* three.connect("alice", alice.device))
        const replicas = [one, two, three].map((agent) => agent.replica(space)!)
        for (let times = roll(6); times > 0; times--) {
          for (let passes = roll(12); passes > 0; passes--) yield* pass
          const of = pick(histories)
          const replica = pick(replicas)
          for (const run of inRuns(of, of.entries.length, chance)) yield* replica.receive([run])
        }
        const accounts = () => replicas.map((replica) => account(replica.ledger()))
        yield* until(`all know all, seed ${seed}`, () => {
          if (!links.every((link) => link.isCaughtUp(space) && link.isServed(space))) return false
          return new Set(accounts().map((one) => JSON.stringify(one))).size === 1
        })
        return accounts()[0]
      })
    )
    for (const on of sides) {
      const reopened = yield* during(
        on,
        Effect.map(Replica.open(space), (replica) => account(replica.ledger()))
      )
      assert.deepStrictEqual(reopened, live, `seed ${seed}`)
    }
  })

describe("the histories of an authority feed", () => {
  it.live(
    "reach everybody, whoever had what when",
    () => Effect.forEach(Array.from({ length: 120 }), (_, seed) => spread(seed), { discard: true }),
    120_000
  )
})
