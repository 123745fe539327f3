/** What of a view counts for the web of trust, gathered the slow way: pair by pair. */
import type { DeviceId } from "../../src/identity/Id.ts"
import type { AuthorityEntry } from "../../src/trust/Authority.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import { levels, type Level } from "../../src/trust/Level.ts"
import * as Trust from "../../src/trust/Trust.ts"
import type { Regime } from "./oracle.ts"

const rank = (level: Level): number => levels.indexOf(level)
const highest = (all: ReadonlyArray<Level>): Level => [...all].sort((a, b) => rank(b) - rank(a))[0]!
const lowest = (all: ReadonlyArray<Level>): Level => [...all].sort((a, b) => rank(a) - rank(b))[0]!

/** From the entries that count, and the restrictions that nobody lifted. */
export const gathered = (
  roots: ReadonlyArray<DeviceId>,
  counting: ReadonlyArray<AuthorityEntry>,
  regime: Regime
): Trust.Statements => {
  const said = counting.flatMap(({ facts, feed }) => facts.map((fact) => ({ who: feed.device, fact })))
  const authors = new Set(said.map(({ who }) => who))
  const lowerings = regime.flatMap(({ entry, fact, reach }) =>
    fact._tag === "Lower" ? [{ who: entry.feed.device, fact, reach }] : []
  )
  const relationOf = (who: DeviceId, device: DeviceId): Level => {
    const own = said.flatMap(({ fact, who: by }) =>
      by === who && fact._tag === "Relate" && fact.device === device ? [fact.level] : []
    )
    const caps = lowerings.flatMap(({ fact, who: by }) => (by === who && fact.device === device ? [fact.level] : []))
    return lowest([highest(own), ...caps])
  }
  const whom = (who: DeviceId): ReadonlyArray<DeviceId> =>
    said.flatMap(({ fact, who: by }) => (by === who && fact._tag === "Relate" ? [fact.device] : []))
  const subjects = <Tag extends "Attest">(tag: Tag): ReadonlySet<DeviceId> =>
    new Set(said.flatMap(({ fact }) => (fact._tag === tag ? [fact.device] : [])))
  const reports = regime.flatMap(({ entry, fact, web }) =>
    fact._tag === "Report" ? [{ entry, fact: fact satisfies Fact.Report, web }] : []
  )
  const nothing = new Map<never, never>()
  const silent = Trust.make({ roots, relations: nothing, attestations: nothing, reports: nothing, ceilings: nothing })
  return {
    roots,
    relations: new Map([...authors].map((who) => [who, new Map(whom(who).map((one) => [one, relationOf(who, one)]))])),
    attestations: new Map(
      [...subjects("Attest")].map((device) => [
        device,
        new Set(said.flatMap(({ fact, who }) => (fact._tag === "Attest" && fact.device === device ? [who] : [])))
      ])
    ),
    reports: new Map(
      [...new Set(reports.map(({ fact }) => fact.device))].map((device) => [
        device,
        reports
          .filter(({ fact }) => fact.device === device)
          .map(({ entry, fact, web }) => ({
            hash: entry.hash,
            reporter: entry.feed.device,
            severity: fact.severity,
            seen: web ?? silent
          }))
      ])
    ),
    ceilings: new Map(
      [...new Set(lowerings.flatMap(({ fact, reach }) => (reach === "all" ? [fact.device] : [])))].map((device) => [
        device,
        lowest(lowerings.flatMap(({ fact, reach }) => (reach === "all" && fact.device === device ? [fact.level] : [])))
      ])
    )
  }
}
