/** The web of trust: cases as drawn, laws over webs that collide, and an oracle that tries everything. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { isAtLeast, levelOf, levels, type Level } from "../../src/trust/Level.ts"
import { reportsMin } from "../../src/trust/limits.ts"
import * as Trust from "../../src/trust/Trust.ts"
import {
  devices,
  drawn,
  erin,
  named,
  roots,
  someAttestation,
  someCeiling,
  someRelation,
  someReport,
  someStatements,
  toStatements,
  type Statement
} from "./randomTrust.ts"
import { alice, carol, hashOf, mallory, nobody, root } from "./space.ts"
import { trustOracle } from "./trustOracle.ts"

const standing = (web: Trust.Web, name: string): Trust.Standing => Trust.standingOf(web, named(name))

const valued = (web: Trust.Web, ...people: ReadonlyArray<string>): ReadonlyArray<readonly [Level, number]> =>
  people.map((name) => [standing(web, name).level, standing(web, name).value])

const ids = (...people: ReadonlyArray<string>) => people.map(named)

const puppets = (count: number, line: (puppet: string) => string): string =>
  Array.from({ length: count }, (_, index) => line(`Puppet${index + 1}`)).join("\n")

describe("a device's base", () => {
  it("is all there is for root and founder, and nothing for a stranger", () => {
    const web = drawn("Root ==> Bob")
    for (const device of roots) {
      const { base, level, path, value } = Trust.standingOf(web, device)
      assert.deepStrictEqual(
        { base, level, path, value },
        { base: 10_000, level: "High", path: [device], value: 10_000 }
      )
    }
    assert.deepStrictEqual(valued(web, "Mallory"), [["None", 0]])
    assert.deepStrictEqual(standing(web, "Mallory").path, [])
  })

  it("is the level that a root relates it with", () => {
    const web = drawn("Root ==> Bob\nAlice --> Carol\nAlice ..> Dave")
    assert.deepStrictEqual(valued(web, "Bob", "Carol", "Dave"), [
      ["High", 10_000],
      ["Medium", 6667],
      ["Low", 3333]
    ])
    assert.deepStrictEqual(standing(web, "Carol").path, ids("Alice", "Carol"))
  })

  it("loses a fifth with every hop after the first, rounded down", () => {
    const web = drawn("Root ==> Bob ==> Carol ==> Dave ==> Erin ==> Mallory")
    assert.deepStrictEqual(valued(web, "Bob", "Carol", "Dave", "Erin", "Mallory"), [
      ["High", 10_000],
      ["High", 8000],
      ["Medium", 6400],
      ["Medium", 5120],
      ["Low", 4096]
    ])
    assert.deepStrictEqual(standing(web, "Erin").path, ids("Root", "Bob", "Carol", "Dave", "Erin"))
    assert.deepStrictEqual(valued(drawn("Root --> Bob ==> Carol ==> Dave"), "Carol", "Dave"), [
      ["Medium", 5333],
      ["Low", 4266]
    ])
  })

  it("is Low behind a Low device, whatever that one says", () => {
    const web = drawn("Root ..> Mallory ==> Puppet1 ==> Puppet2")
    assert.deepStrictEqual(valued(web, "Mallory", "Puppet1", "Puppet2"), [
      ["Low", 3333],
      ["Low", 2666],
      ["None", 2132]
    ])
  })

  it("comes by the best path, be it the longer one", () => {
    const web = drawn("Root --> Carol\nRoot ==> Bob ==> Carol")
    assert.strictEqual(standing(web, "Carol").value, 8000)
    assert.deepStrictEqual(standing(web, "Carol").path, ids("Root", "Bob", "Carol"))
    const direct = drawn("Root --> Dave\nRoot ==> Bob ==> Carol ==> Dave")
    assert.deepStrictEqual(standing(direct, "Dave").path, ids("Root", "Dave"))
  })

  it("comes by the lowest ids where paths are worth the same", () => {
    const either = drawn("Root ==> Carol ==> Dave\nRoot ==> Bob ==> Dave\nAlice ==> Bob")
    const expected = [root, alice].sort()[0]!
    assert.deepStrictEqual(standing(either, "Dave").path, [expected, ...ids("Bob", "Dave")])
  })

  it("does not come out of a cycle", () => {
    assert.deepStrictEqual(valued(drawn("Bob ==> Carol ==> Dave ==> Bob"), "Bob", "Carol", "Dave"), [
      ["None", 0],
      ["None", 0],
      ["None", 0]
    ])
    assert.deepStrictEqual(valued(drawn("Root --> Bob ==> Carol ==> Bob ==> Bob"), "Bob", "Carol"), [
      ["Medium", 6667],
      ["Medium", 5333]
    ])
  })

  it("ends where rounding leaves nothing", () => {
    const chain = Array.from({ length: 60 }, (_, index) => `Puppet${index + 1}`)
    const web = drawn(`Root ==> ${chain.join(" ==> ")}`)
    assert.isAbove(Trust.baseOf(web, named("Puppet30")), 0)
    assert.deepStrictEqual(standing(web, "Puppet60").path, [])
    assert.strictEqual(standing(web, "Puppet60").base, 0)
  })
})

describe("a voice", () => {
  it("is heard from a base of Medium on, whatever else lowers who has it", () => {
    const web = drawn("Root ==> Bob --> Carol ==> Dave\nRoot ==> Erin\nErin at most None")
    assert.deepStrictEqual(
      ["Root", "Bob", "Carol", "Dave", "Erin", "Mallory"].map((name) => Trust.hasVoice(web, named(name))),
      [true, true, true, false, true, false]
    )
  })

  it("needs a way of its own, and none leads through a root", () => {
    const web = drawn(`Root ==> Bob ==> Alice ==> Mallory ==> Puppet1\nMallory ==> Puppet2\nRoot --> Carol
      Puppet1 attests Carol\nPuppet2 attests Carol`)
    assert.lengthOf(standing(web, "Carol").attesters, 1)
  })

  it("finds its way by leading another's elsewhere", () => {
    // Bob's word passes Dave's way until Dave speaks; then it comes by Erin.
    const relations = "Alice --> Carol\nRoot ==> Dave ==> Bob\nRoot --> Erin --> Bob"
    const one = drawn(`${relations}\nBob attests Carol`)
    const two = drawn(`${relations}\nBob attests Carol\nDave attests Carol`)
    const three = drawn(`${relations}\nBob attests Carol\nDave attests Carol\nErin attests Carol`)
    assert.deepStrictEqual(
      [one, two, three].map((web) => standing(web, "Carol").attesters.length),
      [1, 2, 2]
    )
    // Mallory stands first on Bob's way, who has another one, longer, past neither her nor Carol
    const longer = drawn(`Root --> Puppet2\nRoot ==> Mallory ==> Carol ==> Bob
      Root ==> Dave ==> Erin ==> Puppet1 ==> Bob\nBob attests Puppet2\nMallory attests Puppet2`)
    assert.deepStrictEqual(standing(longer, "Puppet2").attesters, ids("Bob", "Mallory"))
    // and with one more way round to Carol all three are heard
    const free = drawn(`Root --> Puppet2\nRoot ==> Mallory ==> Carol ==> Bob
      Root ==> Dave ==> Erin ==> Puppet1 ==> Bob\nRoot ==> Puppet3 ==> Puppet4 ==> Puppet5 ==> Carol
      Bob attests Puppet2\nMallory attests Puppet2\nCarol attests Puppet2`)
    assert.deepStrictEqual(standing(free, "Puppet2").attesters, ids("Bob", "Carol", "Mallory"))
  })
})

describe("attesters", () => {
  it("add 500 each, and are shown by id", () => {
    const web = drawn(
      "Root --> Carol\nRoot ==> Dave\nRoot ==> Bob\nDave attests Carol\nBob attests Carol\nRoot attests Carol"
    )
    const { attested, attesters, base, level } = standing(web, "Carol")
    assert.deepStrictEqual({ base, attested, level }, { base: 6667, attested: 8167, level: "High" })
    assert.deepStrictEqual(attesters, ids("Bob", "Dave", "Root").sort())
  })

  it("lift nobody whom nobody relates to", () => {
    const web = drawn("Root ==> Bob\nRoot ==> Carol\nBob attests Mallory\nCarol attests Mallory\nRoot attests Mallory")
    assert.deepStrictEqual(valued(web, "Mallory"), [["None", 0]])
    assert.deepStrictEqual(standing(web, "Mallory").attesters, [])
  })

  it("are worth nothing below Medium, and oneself is none", () => {
    const web = drawn("Root --> Carol\nRoot ..> Bob\nBob attests Carol\nMallory attests Carol\nCarol attests Carol")
    assert.deepStrictEqual(valued(web, "Carol"), [["Medium", 6667]])
  })

  it("count as five at most, and to 10 000 at most", () => {
    const web = drawn(`Root ..> Carol\nRoot ==> Bob ==> Dave
      ${puppets(9, (puppet) => `Root ==> ${puppet}\n${puppet} attests Carol\n${puppet} attests Dave\n${puppet} attests Bob`)}`)
    assert.deepStrictEqual(valued(web, "Carol", "Dave", "Bob"), [
      ["Medium", 5833],
      ["High", 10_000],
      ["High", 10_000]
    ])
    assert.lengthOf(standing(web, "Carol").attesters, Trust.attestersMax)
  })

  it("count once, be they a farm of sockpuppets that attest each other", () => {
    const web = drawn(`Root --> Mallory\nRoot --> Bob\nBob attests Mallory
      ${puppets(5, (puppet) => `Mallory ==> ${puppet}\n${puppet} attests Mallory\nPuppet1 ==> ${puppet}\nPuppet2 attests ${puppet}`)}`)
    assert.deepStrictEqual(valued(web, "Mallory", "Puppet1", "Puppet2", "Puppet3"), [
      ["Medium", 7667],
      ["Medium", 5833],
      ["Medium", 5333],
      ["Medium", 5833]
    ])
    assert.deepStrictEqual(
      standing(web, "Mallory").attesters,
      [named("Bob"), ...ids("Puppet1", "Puppet2", "Puppet3", "Puppet4", "Puppet5").sort().slice(0, 1)].sort()
    )
  })

  it("behind one device count once, whoever vouches for that device", () => {
    const farm = puppets(5, (puppet) => `Mallory ==> ${puppet}\n${puppet} attests Carol\nPuppet5 ==> ${puppet}`)
    const friends = "Root ==> Mallory\nRoot ==> Bob ==> Mallory\nRoot ==> Dave ==> Mallory"
    const web = drawn(`Root --> Carol\n${friends}\n${farm}`)
    assert.lengthOf(standing(web, "Carol").attesters, 1)
    const keeper = drawn(`Root --> Carol\n${friends}\n${farm}\nMallory attests Carol\nBob attests Carol`)
    assert.lengthOf(standing(keeper, "Carol").attesters, 2)
  })
})

describe("reports", () => {
  const three = "Root ==> Bob\nRoot ==> Carol\nRoot ==> Dave\nRoot ==> Mallory"
  const reported = (...severities: ReadonlyArray<string>) =>
    drawn(
      [
        three,
        ...severities.map((severity, index) => `${["Bob", "Carol", "Dave"][index]} reports Mallory ${severity}`)
      ].join("\n")
    )

  it("of two change nothing, of three what the mildest of them says", () => {
    const outcome = (...severities: ReadonlyArray<string>) => {
      const { isTerminated, level, sanction } = standing(reported(...severities), "Mallory")
      return [level, sanction?.severity, sanction?.reports.length, isTerminated]
    }
    assert.deepStrictEqual(outcome("Severe", "Severe"), ["High", undefined, undefined, false])
    assert.deepStrictEqual(outcome("Severe", "Major", "Minor"), ["Medium", "Minor", 3, false])
    assert.deepStrictEqual(outcome("Severe", "Major", "Major"), ["None", "Major", 3, false])
    assert.deepStrictEqual(outcome("Severe", "Severe", "Severe"), ["None", "Severe", 3, true])
  })

  it("leave of the value what the level left has at most, and the base alone", () => {
    const { attested, base, value } = standing(reported("Minor", "Minor", "Minor"), "Mallory")
    assert.deepStrictEqual({ attested, base, value }, { attested: 10_000, base: 10_000, value: 7999 })
    assert.strictEqual(standing(reported("Major", "Major", "Major"), "Mallory").value, 0)
  })

  it("name as evidence those that were needed, not all there are", () => {
    const web = drawn(`${three}\nRoot ==> Erin
      Dave reports Mallory Severe\nCarol reports Mallory Severe\nBob reports Mallory Severe\nErin reports Mallory Minor`)
    assert.deepStrictEqual(standing(web, "Mallory").sanction, {
      severity: "Severe",
      reports: [hashOf(0), hashOf(1), hashOf(2)].sort()
    })
  })

  it("of three Medium insiders with one first hop suspend nobody", () => {
    const web = drawn(`Root ==> Mallory\nRoot ==> Carol
      ${puppets(3, (puppet) => `Mallory --> ${puppet}\n${puppet} reports Carol Severe`)}`)
    assert.deepStrictEqual(valued(web, "Puppet1", "Carol"), [
      ["Medium", 5333],
      ["High", 10_000]
    ])
  })

  it("count by the base that reporters had where they reported", () => {
    const chain = "Root --> Bob --> Erin --> Mallory\nAlice --> Dave\nRoot --> Puppet1\nRoot ==> Carol"
    const reports = "Mallory reports Carol Minor\nDave reports Carol Minor\nPuppet1 reports Carol Minor"
    assert.deepStrictEqual(valued(drawn(`${chain}\n${reports}`), "Mallory", "Carol"), [
      ["Low", 4266],
      ["High", 10_000]
    ])
    assert.deepStrictEqual(valued(drawn(`${chain}\nRoot --> Erin\n${reports}`), "Mallory", "Carol"), [
      ["Medium", 5333],
      ["Medium", 7999]
    ])
  })

  it("of a farm are one voice, though three who are trusted vouch for its keeper", () => {
    const web = drawn(`Root ==> Mallory\nRoot ==> Bob ==> Mallory\nRoot ==> Dave ==> Mallory\nRoot ==> Carol
      ${puppets(3, (puppet) => `Mallory ==> ${puppet}\n${puppet} reports Carol Severe`)}`)
    assert.deepStrictEqual(valued(web, "Puppet1", "Carol"), [
      ["High", 8000],
      ["High", 10_000]
    ])
  })

  it("of one reporter are one voice, whoever vouches for it and however often it reports", () => {
    const web = drawn(`${three}\nBob ==> Erin\nCarol ==> Erin\nDave ==> Erin
      Erin reports Mallory Major\nErin reports Mallory Major\nErin reports Mallory Severe`)
    assert.deepStrictEqual(valued(web, "Mallory"), [["High", 10_000]])
  })

  it("of each other have one outcome: both are out, and neither's word is worth less for it", () => {
    const web = drawn(`${three}\nRoot ==> Erin\nMallory reports Erin Severe\nErin reports Mallory Severe
      Bob reports Erin Severe\nBob reports Mallory Severe\nCarol reports Erin Severe\nCarol reports Mallory Severe`)
    assert.deepStrictEqual([standing(web, "Mallory").isTerminated, standing(web, "Erin").isTerminated], [true, true])
    assert.strictEqual(Trust.baseOf(web, mallory), 10_000)
    assert.isTrue(Trust.hasVoice(web, erin))
  })

  it("touch no root, and nobody reports himself", () => {
    const web = drawn(`${three}
      ${["Bob", "Carol", "Dave"].map((name) => `${name} reports Alice Severe`).join("\n")}
      Bob reports Mallory Severe\nCarol reports Mallory Severe\nMallory reports Mallory Severe`)
    assert.deepStrictEqual(valued(web, "Alice", "Mallory"), [
      ["High", 10_000],
      ["High", 10_000]
    ])
    assert.strictEqual(standing(web, "Alice").sanction, undefined)
  })
})

describe("a ceiling", () => {
  it("is a level at most, for all but roots", () => {
    const web = drawn(
      "Root ==> Bob ==> Carol\nRoot ..> Dave\nBob at most Low\nDave at most High\nCarol at most None\nAlice at most None"
    )
    assert.deepStrictEqual(valued(web, "Bob", "Dave", "Carol", "Alice"), [
      ["Low", 4999],
      ["Low", 3333],
      ["None", 0],
      ["High", 10_000]
    ])
    assert.strictEqual(standing(web, "Bob").ceiling, "Low")
  })

  it("does not add to a sanction: the lower of the two holds", () => {
    const web = (ceiling: Level) =>
      drawn(`Root ==> Bob\nRoot ==> Carol\nRoot ==> Dave\nRoot ==> Mallory\nMallory at most ${ceiling}
      Bob reports Mallory Minor\nCarol reports Mallory Minor\nDave reports Mallory Minor`)
    assert.deepStrictEqual(
      levels.map((ceiling) => standing(web(ceiling), "Mallory").level),
      ["None", "Low", "Medium", "Medium"]
    )
  })

  it("takes no voice away: who is lowered still vouches for others", () => {
    const web = drawn("Root ==> Bob ==> Carol\nBob at most None\nBob attests Carol")
    assert.deepStrictEqual(valued(web, "Carol"), [["High", 8500]])
  })
})

const everything = (web: Trust.Web, those = devices) =>
  those.map((device) => ({ ...Trust.standingOf(web, device), hasVoice: Trust.hasVoice(web, device) }))

const webOf = (...statements: ReadonlyArray<ReadonlyArray<Statement>>): Trust.Web =>
  Trust.make(toStatements(statements.flat()))

const some = (statement: fc.Arbitrary<Statement>) => fc.array(statement, { minLength: 1, maxLength: 4 })

describe("the web", () => {
  it("says what the oracle says on 10 000 random webs", () => {
    const met = { sanctions: 0, terminated: 0, ceilings: 0, crowded: 0, long: 0 }
    const property = fc.property(someStatements, (statements) => {
      const web = webOf(statements)
      const slow = trustOracle(web.statements)
      for (const device of devices) {
        const found = Trust.standingOf(web, device)
        assert.deepStrictEqual(found, slow.standing(device))
        assert.strictEqual(Trust.baseOf(web, device), slow.base(device))
        const heard = [...(web.statements.attestations.get(device) ?? [])].filter(
          (by) => by !== device && Trust.hasVoice(web, by)
        )
        met.sanctions += found.sanction === undefined ? 0 : 1
        met.terminated += found.isTerminated ? 1 : 0
        met.ceilings += found.value < found.attested && found.sanction === undefined ? 1 : 0
        met.crowded += found.attesters.length > 1 && heard.length > found.attesters.length ? 1 : 0
        met.long += found.path.length > 4 ? 1 : 0
      }
    })
    fc.assert(property, { numRuns: 10_000 })
    for (const [what, count] of Object.entries(met)) assert.isAbove(count, 30, `random webs meet ${what}`)
  }, 60_000)

  it("is monotone in relations and attestations", () => {
    const property = fc.property(someStatements, some(fc.oneof(someRelation, someAttestation)), (statements, more) => {
      const [before, after] = [webOf(statements), webOf(statements, more)]
      for (const device of devices) {
        const [less, now] = [Trust.standingOf(before, device), Trust.standingOf(after, device)]
        assert.isAtLeast(now.base, less.base)
        assert.isAtLeast(now.attested, less.attested)
        assert.isAtLeast(now.value, less.value)
        assert.isTrue(Trust.hasVoice(after, device) || !Trust.hasVoice(before, device))
      }
    })
    fc.assert(property, { numRuns: 5000 })
  })

  it("is antitone in reports and ceilings, which touch neither bases nor voices nor anybody else", () => {
    const property = fc.property(someStatements, some(fc.oneof(someReport, someCeiling)), (statements, more) => {
      const [before, after] = [webOf(statements), webOf(statements, more)]
      for (const device of devices) {
        const [less, now] = [Trust.standingOf(after, device), Trust.standingOf(before, device)]
        assert.isTrue(isAtLeast(now.level, less.level))
        assert.isAtLeast(now.value, less.value)
        assert.deepStrictEqual([now.base, now.attested, now.attesters], [less.base, less.attested, less.attesters])
        if (!more.some(({ subject }) => subject === device)) assert.deepStrictEqual(now, less)
      }
    })
    fc.assert(property, { numRuns: 5000 })
  })

  it("has one value, whatever the order of insertion and of questions", () => {
    const property = fc.property(
      someStatements.chain((statements) =>
        fc.tuple(
          fc.constant(statements),
          fc.shuffledSubarray([...statements], { minLength: statements.length }),
          fc.shuffledSubarray(devices, { minLength: devices.length })
        )
      ),
      ([statements, shuffled, questions]) => {
        const web = Trust.make({ ...toStatements(shuffled), roots: roots.toReversed() })
        everything(web, questions)
        assert.deepStrictEqual(everything(web), everything(webOf(statements)))
      }
    )
    fc.assert(property, { numRuns: 3000 })
  })

  it("lets nobody give more than four fifths of what he has, and reads every value as its level", () => {
    const property = fc.property(someStatements, (statements) => {
      const web = webOf(statements)
      for (const device of devices) {
        const { level, value } = Trust.standingOf(web, device)
        assert.strictEqual(levelOf(value), level)
        if (roots.includes(device)) continue
        const gifts = [...web.statements.relations].flatMap(([by, related]) => {
          const given = related.get(device) ?? "None"
          const most = { None: 0, Low: 3333, Medium: 6667, High: 10_000 }[given]
          return [Math.min(most, roots.includes(by) ? 10_000 : Math.floor((Trust.baseOf(web, by) * 4) / 5))]
        })
        assert.isAtMost(Trust.baseOf(web, device), Math.max(0, ...gifts))
      }
    })
    fc.assert(property, { numRuns: 3000 })
  })

  it("hears a farm of sockpuppets once, however many, for and against", () => {
    const farm = [1, 2, 3, 4, 5, 6].map((number) => nobody(200 + number))
    const relations = fc.array(
      fc.record({
        _tag: fc.constant("Relate" as const),
        by: fc.constantFrom(mallory, ...farm),
        subject: fc.constantFrom(...farm),
        level: fc.constantFrom<Level>("Medium", "High")
      }),
      { minLength: 6, maxLength: 20, size: "max" }
    )
    let heard = 0
    const property = fc.property(someStatements, relations, (honest, planted) => {
      // whoever relates to Mallory: she is the one device between all others and the farm
      const attesting = farm.map((by): Statement => ({ _tag: "Attest", by, subject: carol }))
      const before = Trust.standingOf(webOf(honest), carol)
      const after = Trust.standingOf(webOf(honest, planted, attesting), carol)
      assert.isAtMost(after.attested, before.attested + Trust.attesterValue)
      heard += after.attested > before.attested ? 1 : 0

      const web = webOf(honest, planted)
      const reporting = farm.map((by, index): Statement => {
        const report = { hash: hashOf(100 + index), reporter: by, severity: "Severe" as const, seen: web }
        return { _tag: "Report", subject: carol, report }
      })
      const silent = honest.filter(({ _tag, subject }) => _tag !== "Report" || subject !== carol)
      assert.strictEqual(Trust.standingOf(webOf(silent, planted, reporting), carol).sanction, undefined)
    })
    fc.assert(property, { numRuns: 2000 })
    assert.isAbove(heard, 30)
  })

  it("finds as many ways apart as there are, where some must be led elsewhere more than once", () => {
    const ring = Array.from({ length: 9 }, (_, index) => nobody(300 + index))
    const someOne = fc.constantFrom(...ring)
    const relation = fc.record({
      _tag: fc.constant("Relate" as const),
      by: fc.oneof({ weight: 1, arbitrary: fc.constant(root) }, { weight: 5, arbitrary: someOne }),
      subject: someOne,
      level: fc.constant<Level>("High")
    })
    const relations = fc.array(relation, { minLength: 12, maxLength: 18, size: "max" })
    const attesters = fc.uniqueArray(someOne, { minLength: 3, maxLength: 5, size: "max" })
    const property = fc.property(relations, attesters, (related, those) => {
      const direct: Statement = { _tag: "Relate", by: root, subject: carol, level: "Medium" }
      const attesting = those.map((by): Statement => ({ _tag: "Attest", by, subject: carol }))
      const web = webOf([direct], related, attesting)
      assert.deepStrictEqual(
        Trust.standingOf(web, carol).attesters,
        trustOracle(web.statements).standing(carol).attesters
      )
    })
    fc.assert(property, { numRuns: 3000 })
  }, 60_000)

  it("asks for more reporters than a pair", () => {
    assert.isAbove(reportsMin, 2)
  })
})
