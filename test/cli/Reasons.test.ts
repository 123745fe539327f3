/**
 * The tree that `aura explain` draws, to the letter, for every way in which a right can be had or missing:
 *
 *     Alice founded the space and admitted Bob, Carol and Mallory
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Person from "../../src/cli/Person.ts"
import * as Reasons from "../../src/cli/Reasons.ts"
import * as ReasonsTree from "../../src/cli/ReasonsTree.ts"
import * as Clock from "../../src/journal/Clock.ts"
import * as AccessControl from "../../src/runtime/AccessControl.ts"
import * as Authority from "../../src/trust/Authority.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Definition from "../../src/trust/Definition.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import * as Policy from "../../src/trust/Policy.ts"
import * as Space from "../trust/space.ts"

const { alice, bob, carol, grant, household, mallory, right } = Space

const operation = (policy: Policy.Policy, resource?: string) => ({ writes: ["notes/{key}:set"], policy, resource })
const written = Policy.make({ capabilities: ["note:write"] })
const definition = Result.getOrThrow(
  Definition.make({
    app: "paper",
    version: 1,
    fields: { notes: { kind: "LWWMap", value: { kind: "string", maxLength: 10 } } },
    operations: {
      "paper.write": operation(written),
      "paper.on": operation(written, "notes/{key}"),
      "paper.near": operation(Policy.make({ capabilities: ["note:write"], chainMax: 1 })),
      "paper.trusted": operation(Policy.make({ minTrust: "Medium" })),
      "paper.attested": operation(Policy.make({ attestations: 2 })),
      "paper.either": operation(Policy.any(written, Policy.make({ minTrust: "Low" }))),
      "paper.never": operation(Policy.any()),
      "paper.once": operation(Policy.make({ until: 5 }))
    },
    roles: { writer: [{ capability: capability("note:write"), depth: 0 }] }
  })
)

type Sheet = Pick<ReturnType<typeof household>, "entries">

interface Question {
  readonly resource?: string
  readonly time?: number
}

const now = 1000

const reasonsFor = ({ entries }: Sheet, device: typeof bob, type: string, { resource, time = now }: Question = {}) => {
  const authority = Authority.extend(Authority.make(Space.genesis), entries)
  const checked = AccessControl.check({ authority }, definition, { device, operation: type, resource }, time)
  return Reasons.of({ authority, definition, names: Person.namesOf(authority) }, checked)
}

/** The tree below its first line and what is demanded, without ids, entries and times. */
const told = (sheet: Sheet, device: typeof bob, type = "paper.write", question: Question = {}): string => {
  const data = JSON.parse(JSON.stringify(reasonsFor(sheet, device, type, question)))
  assert.deepStrictEqual(Schema.decodeUnknownSync(Reasons.Reasons)(data), data, "nothing of it is lost as JSON")
  return ReasonsTree.render(data)
    .replaceAll(/ \([0-9a-f]{10}\)| at \S+Z|, entry [0-9a-f]{10}|, as of \S+Z/gu, "")
    .split("\n")
    .filter((line, index) => index === 0 || !line.includes("as the application defines"))
    .join("\n")
}

const way = "who may pass it on can give it: aura grant"

const cut = (...entries: ReadonlyArray<Sheet["entries"][number]>) => entries.map(Space.at)

describe("a right", () => {
  it("is explained by founding the space, or by the grants that lead to it", () => {
    const sheet = household({ bob: [right("note:write", { depth: 1 })] })
    sheet.write(bob, [grant(carol, right("note:write"))])
    assert.strictEqual(
      told(sheet, alice),
      "creator may perform paper.write\n└─ it has note:write from founding the space"
    )
    assert.strictEqual(
      told(sheet, carol),
      [
        "Carol may perform paper.write",
        "└─ it has note:write",
        "   ├─ creator granted Bob note:write to be passed on once",
        "   └─ Bob granted Carol note:write"
      ].join("\n")
    )
    assert.strictEqual(
      told(household({ bob: [right("note:write/*", { until: 5000 })] }), bob, "paper.on", { resource: "notes/7" }),
      [
        "Bob may perform paper.on on notes/7",
        "└─ it has note:write/notes/7 by note:write/* until 2020-01-01T00:00:00Z",
        "   └─ creator granted Bob note:write/* until 2020-01-01T00:00:00Z"
      ].join("\n")
    )
  })
})

describe("a missing right", () => {
  const refused = (sheet: Sheet, device: typeof bob, ...lines: ReadonlyArray<string>): void => {
    const [, ...rest] = told(sheet, device).split("\n")
    assert.deepStrictEqual(rest, lines)
  }

  it("that nobody granted says who may give it", () => {
    const sheet = household({ bob: [right("space:read")] })
    refused(
      sheet,
      bob,
      "└─ note:write is missing; it holds space:read",
      "   ├─ no grant to it names that",
      `   └─ ${way} Bob --role writer`
    )
  })

  it("names the grant that is over, or gives less", () => {
    const over = household({ bob: [right("note:write", { until: 5 })] })
    refused(
      over,
      bob,
      "└─ note:write is missing; it holds note:write until 2020-01-01T00:00:00Z",
      "   ├─ creator granted Bob note:write until 2020-01-01T00:00:00Z",
      "   │  └─ that is not open at this time",
      `   └─ ${way} Bob --role writer`
    )
    const narrow = household({ bob: [right("note:write/notes/7")] })
    refused(
      narrow,
      bob,
      "└─ note:write is missing; it holds note:write/notes/7",
      "   ├─ creator granted Bob note:write/notes/7",
      "   │  └─ that gives note:write/notes/7 and no more",
      `   └─ ${way} Bob --role writer`
    )
  })

  it("names the giver who did not hold it, and why he did not, link by link", () => {
    const sheet = household({ bob: [right("space:read")], mallory: [right("note:write")] })
    sheet.write(mallory, [grant(bob, right("note:write"))])
    sheet.write(bob, [grant(carol, right("note:write"))])
    refused(
      sheet,
      carol,
      "└─ note:write is missing; it holds nothing",
      "   ├─ Bob granted Carol note:write",
      "   │  └─ Bob did not hold it",
      "   │     └─ Mallory granted Bob note:write",
      "   │        └─ Mallory held note:write, not to be passed on then",
      `   └─ ${way} Carol --role writer`
    )
  })

  it("names the giver who was no member, or was put out", () => {
    const stranger = household({})
    stranger.write(Space.dave, [grant(bob, right("note:write"))])
    assert.include(told(stranger, bob), "was no member, as far as that entry had seen")
    const sheet = household({ carol: [right("*", { depth: 5 })] })
    const given = sheet.write(carol, [grant(bob, right("note:write"))], { seen: [sheet.carol] })
    const revoke: Fact.Revoke = { ...Space.revoke(carol, sheet.carol), reason: "stolen" }
    sheet.write(alice, [revoke], { seen: sheet.entries.filter((one) => one !== given) })
    assert.include(told(sheet, bob), "   │  └─ Carol was put out by creator: stolen")
  })

  it("names who took it back, and what a ceiling leaves", () => {
    const sheet = household({})
    const given = sheet.write(alice, [grant(bob, right("note:write"), right("space:read"))])
    const refine: Fact.Refine = {
      _tag: "Refine",
      device: bob,
      admission: undefined,
      grant: given.hash,
      ceiling: [capability("space:read")],
      cut: cut(given),
      reason: "the season is over"
    }
    sheet.write(alice, [refine])
    refused(
      sheet,
      bob,
      "└─ note:write is missing; it holds space:read",
      "   ├─ creator granted Bob note:write",
      "   │  └─ cut down to space:read by creator: the season is over",
      `   └─ ${way} Bob --role writer`
    )
    const gone = household({})
    const all = gone.write(alice, [grant(bob, right("note:write"))])
    gone.write(alice, [{ _tag: "Ungrant", device: bob, grant: all.hash, cut: cut(all), reason: "" }])
    assert.include(told(gone, bob), "   │  └─ taken back by creator\n")
    const under = household({ bob: [right("note:write")] })
    const setting = under.write(alice, [
      { ...refine, grant: undefined, admission: under.bob.hash, ceiling: [], cut: cut(under.bob), reason: "calm down" }
    ])
    refused(
      under,
      bob,
      "└─ note:write is missing; it holds nothing",
      "   ├─ it may use nothing, set by creator: calm down",
      `   │  └─ who set that can lift it: aura lift ${setting.hash.slice(0, 10)}`,
      "   └─ creator granted Bob note:write",
      "      └─ taken back by creator: calm down"
    )
  })

  it("names a fork, and a chain that is too long", () => {
    const sheet = household({ carol: [right("*", { depth: 5 })] })
    const first = sheet.write(carol, [grant(bob, right("note:write"))], { seen: [sheet.carol] })
    sheet.write(carol, [grant(mallory, right("note:write"))], { after: "nothing", seen: [sheet.carol] })
    assert.include(told({ entries: [...sheet.entries] }, bob), "that feed has two histories", `${first.seq}`)
    const long = household({ bob: [right("note:write", { depth: 1 })] })
    long.write(bob, [grant(carol, right("note:write"))])
    assert.strictEqual(
      told(long, carol, "paper.near"),
      [
        "Carol may not perform paper.near",
        "└─ it has note:write through 2 grants, allowed are 1",
        "   ├─ creator granted Bob note:write to be passed on once",
        "   └─ Bob granted Carol note:write"
      ].join("\n")
    )
  })
})

describe("other demands", () => {
  const relate = (device: typeof bob, level: "Low" | "Medium" | "High"): Fact.Relate => ({
    _tag: "Relate",
    device,
    level
  })

  it("are explained by the path of trust, the attesters and the time", () => {
    const sheet = household({})
    sheet.write(alice, [relate(bob, "Medium"), relate(carol, "High")])
    sheet.write(carol, [relate(mallory, "Low"), { _tag: "Attest", device: mallory, claim: "met" }])
    assert.strictEqual(
      told(sheet, bob, "paper.trusted"),
      "Bob may perform paper.trusted\n└─ it is trusted Medium (6667), through creator → Bob"
    )
    assert.strictEqual(
      told(sheet, mallory, "paper.trusted"),
      "Mallory may not perform paper.trusted\n└─ it is trusted Low (3166), through creator → Carol → Mallory, attested by Carol; needed is Medium"
    )
    assert.strictEqual(
      told(sheet, mallory, "paper.attested"),
      "Mallory may not perform paper.attested\n└─ it is attested by 1 who count; needed are 2"
    )
    assert.strictEqual(
      told(sheet, bob, "paper.once", { time: 5 }),
      "Bob may perform paper.once\n└─ the time is until 2020-01-01T00:00:00Z"
    )
    assert.include(told(sheet, bob, "paper.once"), "└─ 2020-01-01T00:00:00Z is not until")
    assert.strictEqual(
      told(sheet, Space.dave, "paper.either"),
      "44444444444444444444444444444444444444444444444444444444444444".slice(0, 10) +
        " may not perform paper.either\n└─ device 4444444444 was not admitted, as far as this entry had seen"
    )
  })

  it("that may be met in several ways list each that is shut", () => {
    assert.strictEqual(
      told(household({}), bob, "paper.either"),
      [
        "Bob may not perform paper.either",
        "└─ none of 2 ways is open",
        "   ├─ note:write is missing; it holds nothing",
        "   │  ├─ no grant to it names that",
        `   │  └─ ${way} Bob --role writer`,
        "   └─ it is trusted None (0); needed is Low"
      ].join("\n")
    )
    assert.include(told(household({}), bob, "paper.never"), "└─ the policy lets nobody")
  })

  it("name who set them, and a device that was put out who did that", () => {
    const sheet = household({ bob: [right("note:write")] })
    sheet.write(alice, [
      {
        _tag: "SetPolicy",
        app: "paper",
        operation: "paper.write",
        policy: Policy.make({ minTrust: "High" }),
        cut: cut(...sheet.entries),
        reason: "strangers came"
      }
    ])
    assert.strictEqual(
      told(sheet, bob),
      [
        "Bob may not perform paper.write",
        "├─ paper.write demands trusted High, set by creator: strangers came",
        "└─ it is trusted None (0); needed is High"
      ].join("\n")
    )
    sheet.write(alice, [{ ...Space.revoke(bob, sheet.bob), reason: "sold" }])
    assert.include(told(sheet, bob), "└─ it was put out by creator: sold")
    assert.strictEqual(Clock.toMillis(now), reasonsFor(sheet, bob, "paper.write").atMillis)
  })

  it("end with severe reports, each named", () => {
    const sheet = household({ bob: [right("note:write")] })
    sheet.write(alice, [relate(carol, "High"), relate(mallory, "High"), relate(bob, "High")])
    const seen = [...sheet.entries]
    for (const reporter of [alice, carol, mallory])
      sheet.write(reporter, [
        {
          _tag: "Report",
          device: bob,
          admission: sheet.bob.hash,
          severity: "Severe",
          cut: cut(...seen),
          reason: "liar"
        }
      ])
    const tree = told(sheet, bob)
    assert.include(tree, "└─ it is ended by severe reports")
    for (const name of ["creator", "Carol", "Mallory"]) assert.match(tree, new RegExp(`─ ${name}: liar`, "u"))
  })
})
