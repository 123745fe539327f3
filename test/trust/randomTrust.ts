/**
 * Random small webs that collide, and webs drawn as text. A random one has two roots and five devices, and is decoded
 * from small numbers, so that fast-check can shrink it to the few statements that matter.
 */
import fc from "fast-check"
import type { DeviceId } from "../../src/identity/Id.ts"
import { levels, severities, type Level, type Severity } from "../../src/trust/Level.ts"
import * as Trust from "../../src/trust/Trust.ts"
import { alice, bob, carol, dave, hashOf, mallory, nobody, root } from "./space.ts"

export const erin = nobody(1)

/** Root and Alice are the roots. */
export const roots = [root, alice]
export const devices = [root, alice, bob, carol, dave, erin, mallory]

export type Statement =
  | { readonly _tag: "Relate"; readonly by: DeviceId; readonly subject: DeviceId; readonly level: Level }
  | { readonly _tag: "Attest"; readonly by: DeviceId; readonly subject: DeviceId }
  | { readonly _tag: "Report"; readonly subject: DeviceId; readonly report: Trust.Report }
  | { readonly _tag: "Ceiling"; readonly subject: DeviceId; readonly level: Level }

/** Of two relations of one pair the higher level counts, of two ceilings the lower; in the order of insertion. */
export const toStatements = (statements: Iterable<Statement>): Trust.Statements => {
  const relations = new Map<DeviceId, Map<DeviceId, Level>>()
  const attestations = new Map<DeviceId, Set<DeviceId>>()
  const reports = new Map<DeviceId, Array<Trust.Report>>()
  const ceilings = new Map<DeviceId, Level>()
  for (const statement of statements) {
    const { subject } = statement
    if (statement._tag === "Relate") {
      const related = relations.get(statement.by) ?? new Map<DeviceId, Level>()
      const known = related.get(subject) ?? "None"
      relations.set(
        statement.by,
        related.set(subject, levels.indexOf(known) > levels.indexOf(statement.level) ? known : statement.level)
      )
    } else if (statement._tag === "Attest") {
      attestations.set(subject, (attestations.get(subject) ?? new Set<DeviceId>()).add(statement.by))
    } else if (statement._tag === "Report") {
      reports.set(subject, [...(reports.get(subject) ?? []), statement.report])
    } else {
      const known = ceilings.get(subject) ?? "High"
      ceilings.set(subject, levels.indexOf(known) < levels.indexOf(statement.level) ? known : statement.level)
    }
  }
  return { roots, relations, attestations, reports, ceilings }
}

const people: Readonly<Record<string, DeviceId>> = {
  Root: root,
  Alice: alice,
  Bob: bob,
  Carol: carol,
  Dave: dave,
  Erin: erin,
  Mallory: mallory
}

/** By name; a name with a number is one of somebody's sockpuppets. */
export const named = (name: string): DeviceId => {
  const number = /^Puppet(\d+)$/u.exec(name)?.[1]
  const device = number === undefined ? people[name] : nobody(100 + Number(number))
  if (device === undefined) throw new RangeError(`nobody is called ${name}`)
  return device
}

const arrows: Readonly<Record<string, Level>> = { "==>": "High", "-->": "Medium", "..>": "Low" }

/**
 * A web as drawn, one chain or sentence a line: `Root ==> Bob --> Carol ..> Dave` (High, Medium, Low),
 * `Bob attests Carol`, `Bob reports Mallory Major`, `Carol at most Low`. Reports have seen all relations.
 */
export const drawn = (drawing: string): Trust.Web => {
  const statements: Array<Statement> = []
  const reports: Array<readonly [by: DeviceId, subject: DeviceId, severity: string]> = []
  for (const line of drawing.trim().split("\n")) {
    const words = line.trim().split(/\s+/u)
    const [who, verb, whom, last] = words
    if (verb === "attests") statements.push({ _tag: "Attest", by: named(who!), subject: named(whom!) })
    else if (verb === "reports") reports.push([named(who!), named(whom!), last!])
    else if (verb === "at")
      statements.push({ _tag: "Ceiling", subject: named(who!), level: levels.find((level) => level === last)! })
    else
      for (let at = 0; at + 2 < words.length; at += 2)
        statements.push({
          _tag: "Relate",
          by: named(words[at]!),
          subject: named(words[at + 2]!),
          level: arrows[words[at + 1]!]!
        })
  }
  const seen = Trust.make(toStatements(statements))
  for (const [index, [reporter, subject, severity]] of reports.entries()) {
    const report = {
      hash: hashOf(index),
      reporter,
      severity: severities.find((one) => one === severity)!,
      seen
    }
    statements.push({ _tag: "Report", subject, report })
  }
  return Trust.make(toStatements(statements))
}

const someDevice = fc.constantFrom(...devices)

/** High is common, so that four hops are; relations out of roots are not too common, so that first hops are few. */
export const someRelation: fc.Arbitrary<Statement> = fc.record({
  _tag: fc.constant("Relate"),
  by: someDevice,
  subject: someDevice,
  level: fc.constantFrom<Level>("High", "High", "High", "Medium", "Medium", "Low", "None")
})

export const someAttestation: fc.Arbitrary<Statement> = fc.record({
  _tag: fc.constant("Attest"),
  by: someDevice,
  subject: fc.constantFrom(carol, erin)
})

/** What reports may have seen: where each reporter has a way of his own, and where few lead to many. */
const seen = [
  "Root ==> Bob ==> Carol\nRoot ==> Dave ==> Erin",
  "Root ==> Mallory ==> Bob ==> Carol\nMallory ==> Dave\nMallory ==> Erin",
  "Alice ==> Carol ==> Dave ==> Erin ==> Bob\nAlice --> Erin\nRoot ==> Dave",
  "Root ==> Bob\nRoot ==> Carol\nAlice ==> Dave\nAlice ==> Erin ..> Mallory"
].map((drawing) => drawn(drawing))

export const someReport: fc.Arbitrary<Statement> = fc.record({
  _tag: fc.constant("Report"),
  subject: fc.constantFrom(alice, mallory, mallory, mallory),
  report: fc.record({
    hash: fc.nat({ max: 5 }).map(hashOf),
    reporter: someDevice,
    severity: fc.constantFrom<Severity>("Minor", "Major", "Severe", "Severe"),
    seen: fc.constantFrom(...seen)
  })
})

export const someCeiling: fc.Arbitrary<Statement> = fc.record({
  _tag: fc.constant("Ceiling"),
  subject: fc.constantFrom(alice, bob, carol, mallory),
  level: fc.constantFrom(...levels)
})

export const someStatements: fc.Arbitrary<ReadonlyArray<Statement>> = fc
  .tuple(
    fc.array(someRelation, { maxLength: 22, size: "max" }),
    fc.array(someAttestation, { maxLength: 9, size: "max" }),
    fc.array(someReport, { maxLength: 9, size: "max" }),
    fc.array(someCeiling, { maxLength: 2 })
  )
  .map((statements) => statements.flat())
