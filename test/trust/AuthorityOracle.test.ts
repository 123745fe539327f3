/** The engine against the rule written down slowly, on random small spaces. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Authority from "../../src/trust/Authority.ts"
import { capability, implies } from "../../src/trust/Capability.ts"
import * as Decision from "../../src/trust/Decision.ts"
import * as Right from "../../src/trust/Right.ts"
import * as Trust from "../../src/trust/Trust.ts"
import { definitionWith } from "./definitionWith.ts"
import { oracle } from "./oracle.ts"
import { chainsOf, permits, type Asked } from "./oracleDecision.ts"
import {
  definitions,
  devices,
  genesOf,
  operations,
  randomPolicy,
  randomSpace,
  reader,
  unit,
  wanted,
  type RandomSpace,
  type Reader
} from "./randomSpace.ts"
import { at, carol, genesis, mallory } from "./space.ts"
import { dataFeedOf, judged, nameOf, restrictionName } from "./verdicts.ts"

type Oracle = ReturnType<typeof oracle>

/** How often something happened, by a name for it. */
const counter = () => {
  const counts = new Map<string, number>()
  return {
    count: (name: string, is: boolean = true) => (is ? counts.set(name, (counts.get(name) ?? 0) + 1) : counts),
    assertAll: (names: ReadonlyArray<string>, min: number) => {
      const seldom = names.filter((name) => (counts.get(name) ?? 0) < min)
      assert.deepStrictEqual(seldom, [], `happens too seldom: ${JSON.stringify([...counts])}`)
    }
  }
}

type Count = ReturnType<typeof counter>["count"]

const agreeOnStanding = (authority: Authority.Authority, slow: Oracle, count: Count): void => {
  const standing = Authority.restrictions(authority)
  assert.deepStrictEqual(
    standing.map(restrictionName).sort(),
    slow.restrictions.map((one) => nameOf(one.entry, one)).sort()
  )
  for (const { fact, node, reach } of standing)
    if (node.feed.device !== genesis.root) {
      const kind = fact._tag === "Refine" && fact.grant !== undefined ? "RefineGrant" : fact._tag
      count(`${kind} ${reach}`)
    }
}

const agreeOnEntries = (authority: Authority.Authority, slow: Oracle, { entries }: RandomSpace, count: Count): void => {
  for (const { definition } of definitions) {
    const valid = entries.filter((entry) =>
      entry.facts.some((fact) => fact._tag === "Define" && fact.definition.id === definition.id)
    )
    const expected = valid.some((entry) => slow.mayAt(entry, "app:define")) ? definition.version : undefined
    const found = Authority.definition(authority, Authority.present(authority), definition.id)?.version
    assert.strictEqual(found, expected)
    count("defined", found !== undefined)
  }
  for (const entry of entries) count("sealed", slow.isSealed(entry))
  for (const feed of new Set(entries.map((entry) => entry.feed.id))) {
    const named = slow.settlementsOf(feed)
    const places = new Set(named.map(({ fact }) => `${fact.hash} ${fact.seq}`))
    const settled = Authority.settlementOf(authority, feed)
    assert.strictEqual(settled && `${settled.hash} ${settled.seq}`, places.size === 1 ? [...places][0] : undefined)
    const isForked = authority.forks.has(feed)
    count("settled", isForked && named.length > 0)
    const at = authority.forks.get(feed) ?? Number.POSITIVE_INFINITY
    for (const entry of entries)
      count("counts behind a fork", entry.feed.id === feed && entry.seq >= at && slow.counts(entry))
  }
}

const agreeOnRegime = (
  authority: Authority.Authority,
  slow: Oracle,
  read: Reader,
  count: Count
): readonly [Authority.Regime, Asked["regime"]] => {
  if (read.below(3) === 0) return [Authority.regimeNow(authority), slow.restrictions]
  const [device, seq] = [read.pick(devices), read.below(4)]
  const feed = dataFeedOf(device)
  const [fast, expected] = [Authority.regimeAt(authority, feed, seq), slow.regimeAt(feed, seq)]
  const limits = expected.filter(({ fact }) => fact._tag !== "Revoke")
  assert.deepStrictEqual(fast.limits.map(restrictionName).sort(), limits.map((one) => nameOf(one.entry, one)).sort())
  count("limits left out", limits.length < slow.restrictions.filter(({ fact }) => fact._tag !== "Revoke").length)
  assert.strictEqual(
    Authority.revocationOn(authority, device, feed, seq) !== undefined,
    expected.some(({ fact }) => fact._tag === "Revoke" && fact.device === device)
  )
  return [fast, expected]
}

const agreeOnRights = (
  authority: Authority.Authority,
  view: Authority.View,
  regime: Authority.Regime,
  asked: Asked,
  slow: Oracle,
  read: Reader,
  count: Count
): void => {
  const { device, time } = asked
  count("lifted", slow.isLifted(asked.view, asked.regime))
  const [want, depth] = [read.pick(wanted), read.below(3)]
  const chains = chainsOf(slow, asked, want, depth)
  const held = Authority.rights(authority, view, device, regime).filter(
    (right) => implies(right.capability, capability(want)) && right.depth >= depth && Right.isOpen(right, time)
  )
  assert.strictEqual(held.length > 0, chains.length > 0, `${device} ${want} ${time} ${depth}`)
  for (const { through } of held) assert.deepInclude(chains, through)
  if (held.length > 0) count("held")
  const before = held.length > 0 ? [] : chainsOf(slow, { ...asked, regime: [] }, want, depth)
  count("taken", before.length > 0)
  const lifted = regime.limits.some(({ fact }) => fact._tag === "Ungrant" || fact._tag === "Refine")
  count("held under limits", held.length > 0 && lifted && held.some(({ through }) => through.length > 0))
}

const agreeOnTrust = (
  authority: Authority.Authority,
  view: Authority.View,
  regime: Authority.Regime,
  asked: Asked,
  slow: Oracle,
  count: Count
): void => {
  const fast = Authority.trustIn(authority, view, asked.device, regime)
  assert.deepStrictEqual(fast, Trust.standingOf(slow.web(asked.view, asked.regime), asked.device))
  count("trusted", fast.base > 0 && fast.base < 10_000)
  count("attested", fast.attesters.length > 0)
  count("sanctioned", fast.sanction !== undefined)
  count("terminated", fast.isTerminated)
  count("lowered", fast.ceiling !== undefined)
}

const agreeOnDecision = (
  authority: Authority.Authority,
  view: Authority.View,
  regime: Authority.Regime,
  asked: Asked,
  slow: Oracle,
  read: Reader,
  count: Count
): void => {
  const [type, policy] = [read.pick(operations), randomPolicy(read)]
  assert.deepStrictEqual(
    Authority.policiesFor(authority, view, regime, "paper", type)
      .map(({ entry }) => entry)
      .sort(),
    slow
      .policies(asked.view, asked.regime, type)
      .map((change) => change?.entry.hash)
      .sort()
  )
  const { device, time } = asked
  const request = { device, time, definition: definitionWith(policy), type, changes: [], fresh: () => false, regime }
  const decision = Decision.decide(authority, view, request)
  assert.strictEqual(decision._tag === "Allowed", permits(slow, asked, type, policy))
  const policies = slow.policies(asked.view, asked.regime, type)
  count("policy changed", policies[0] !== undefined)
  count("several policies", policies.length > 1)
  count(decision._tag === "Denied" ? decision.because._tag : "Allowed")
  if (decision._tag === "Denied") return
  for (const ground of decision.because) {
    count(`by ${ground._tag}`)
    if (ground._tag === "Capability")
      assert.deepInclude(chainsOf(slow, asked, ground.needed), ground.right.through, "evidence")
  }
}

const agree = (space: RandomSpace, read: Reader, count: Count): void => {
  const authority = judged(space)
  const slow = oracle(genesis, space.entries, space.proofs)
  agreeOnStanding(authority, slow, count)
  agreeOnEntries(authority, slow, space, count)
  for (let probe = 0; probe < 7; probe++) {
    const heads = probe === 0 ? space.entries : [read.pick(space.entries)]
    const view = Authority.look(authority, Authority.emptyView(authority), heads.map(at))
    const past = slow.closed(heads)
    const device = read.pick([...devices, mallory, carol])
    assert.strictEqual(Authority.isAdmitted(authority, view, device), slow.isMember(past, device))
    const [fast, regime] = agreeOnRegime(authority, slow, read, count)
    const asked = { view: past, regime, device, time: read.below(8) * unit }
    agreeOnRights(authority, view, fast, asked, slow, read, count)
    if (probe % 3 === 0) agreeOnTrust(authority, view, fast, asked, slow, count)
    agreeOnDecision(authority, view, fast, asked, slow, read, count)
  }
}

describe("the engine", () => {
  it("agrees with the oracle on 10 000 random spaces", () => {
    const { assertAll, count } = counter()
    const property = fc.property(randomSpace(9), genesOf(300, 300), (space, genes) =>
      agree(space, reader(genes), count)
    )
    fc.assert(property, { numRuns: 10_000 })
    assertAll(often, 200)
    assertAll(seldom, 20)
  }, 120_000)
})

/** What has to happen, or agreeing would mean little: restrictions by others than root, and what comes of them. */
const often = [
  ...["Revoke all", "Ungrant all", "Refine all", "RefineGrant all", "SetPolicy all", "Lower all", "Lower own"],
  ...["Report all", "limits left out", "held under limits", "taken", "lifted", "defined", "lowered", "attested"],
  ...["policy changed", "several policies", "trusted", "Allowed", "MissingCapability", "ChainTooLong", "TrustTooLow"],
  ...["NotAttested", "OutsideTime", "NoneMet", "by Capability", "by Trust", "by Time"]
]
const seldom = [
  ...["Ungrant own", "RefineGrant own", "settled", "counts behind a fork", "sealed", "sanctioned", "Terminated"],
  "by Attested"
]
