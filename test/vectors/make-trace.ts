/**
 * Wrote `trace.json`, once: `node test/vectors/make-trace.ts > test/vectors/trace.json`.
 *
 * What four devices said in a space, run by run, in the order in which somebody came to hear of it: entries out of order, some
 * twice, a right that is withdrawn with a cut, a device put out, a feed with two histories that is settled, a run that
 * nobody signed; and what has to come of it. The figures are those of a replica in memory; test/runtime/trace.test.ts holds
 * every store against them.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Run from "../../src/journal/Run.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Chance from "../../src/simulation/Chance.ts"
import {
  add,
  admit,
  alice,
  bob,
  branch,
  carol,
  during,
  fact,
  founded,
  head,
  installation,
  mallory,
  revoke,
  right,
  runOf,
  runsOf,
  say,
  script,
  set,
  type Script
} from "../runtime/fixtures.ts"
import { hear, outcomeOf } from "../runtime/hearing.ts"

const chance = Chance.make(20_261_124, "trace")
const { authority, space } = founded([bob, carol].map((keys) => [keys, right("*", 1)] as const))
const admission = say(authority, { facts: admit(mallory, right("kv:write")) })
const known = head(authority)

const talk = (of: Script, name: string, count: number) => {
  for (let at = 0; at < count; at++) {
    const seen = of.entries.length === 0 ? [known] : []
    const key = `${chance.pick(["shared", name])} ${chance.between(0, 19)}`
    say(of, { facts: chance.happens(0.2) ? [add(chance.between(0, 8) - 4)] : [set(key, `${name} ${at}`)], seen })
  }
  return of
}

const data = [alice, bob, carol, mallory].map((keys, index) =>
  talk(script(space, keys, "data"), ["alice", "bob", "carol", "mallory"][index]!, 40)
)
const [hers, his, carols, mallorys] = data as [Script, Script, Script, Script]
// Mallory is put out with what she had said by her twentieth entry, and goes on all the same
say(authority, { facts: [revoke(mallory.device, admission, [head(mallorys, 19)])] })
// Carol's device says two things at once; one of them is settled on
const other = talk(branch(carols, 25), "carol again", 12)
say(authority, { facts: [fact({ _tag: "Settle", ...head(other) })] })
talk(hers, "alice later", 20)

const forged = runOf({ ...script(space, bob, "data", { nonce: 9 }), keys: mallory, entries: talk(script(space, bob, "data", { nonce: 9 }), "nobody", 2).entries })
const deliveries = [
  ...runsOf(authority, 2),
  ...[hers, his, carols, mallorys].flatMap((of) => runsOf(of, chance.between(1, 7))),
  ...runsOf(other, 5, 25),
  forged
]
const heard = [...deliveries, ...deliveries.filter(() => chance.happens(0.2))]
for (let at = heard.length - 1; at > 0; at--) {
  // mostly in order: a peer sends a feed from its beginning, but several of them at once
  const from = Math.max(0, at - chance.between(0, 7))
  const moved = heard[at]!
  heard[at] = heard[from]!
  heard[from] = moved
}

const expected = await Effect.runPromise(
  during(
    installation(alice),
    Effect.gen(function* () {
      const replica = yield* Replica.open(space)
      yield* hear(replica, heard)
      return outcomeOf(replica)
    })
  )
)

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const lines = heard.map(({ header, run }) => ({
  feed: Result.getOrThrow(Run.decode(run)).feed.slice(0, 8),
  header: header === undefined ? null : hexOf(header),
  run: hexOf(run)
}))
process.stdout.write(
  `${JSON.stringify({ about: "What was heard in a space, and what comes of it. Made by make-trace.ts.", space, expected, heard: lines }, undefined, 1)}\n`
)
