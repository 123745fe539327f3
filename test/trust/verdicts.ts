/** Random spaces, judged; and everything that an authority says, as plain data to compare whole. */
import type { DeviceId } from "../../src/identity/Id.ts"
import type { AuthorityEntry } from "../../src/trust/Authority.ts"
import * as Authority from "../../src/trust/Authority.ts"
import * as Trust from "../../src/trust/Trust.ts"
import { devices, operations, type RandomSpace } from "./randomSpace.ts"
import { at, feedOf, genesis } from "./space.ts"

export const judged = ({ entries, proofs }: RandomSpace): Authority.Authority => {
  let authority = Authority.extend(Authority.make(genesis), entries)
  for (const [feed, seq] of proofs) authority = Authority.fork(authority, feed, seq)
  return authority
}

/** What is told of a restriction that stands. */
export const nameOf = (
  { feed, hash }: Pick<AuthorityEntry, "feed" | "hash">,
  { fact, index, reach, web }: Omit<Authority.Restriction, "node" | "cut">
): string => `${hash} ${index} ${fact._tag} ${reach} ${web === undefined ? "" : Trust.baseOf(web, feed.device)}`

export const restrictionName = (restriction: Authority.Restriction): string => nameOf(restriction.node, restriction)

/** The feed of data that a device is said to have in cuts. */
export const dataFeedOf = (device: DeviceId) => feedOf(device, 3).id

/** All regimes that there are of made-up data, and that of now. */
export const regimesOf = (authority: Authority.Authority): ReadonlyArray<Authority.Regime> => [
  Authority.regimeNow(authority),
  ...devices.flatMap((device) => [0, 1, 3].map((seq) => Authority.regimeAt(authority, dataFeedOf(device), seq)))
]

export const verdictsOf = (authority: Authority.Authority, view: Authority.View) => {
  const regimes = [...new Set(regimesOf(authority))]
  return regimes.map((regime) => ({
    limits: regime.limits.map(restrictionName),
    policies: operations.map((operation) => Authority.policiesFor(authority, view, regime, "paper", operation)),
    devices: devices.map((device) => [
      Authority.rights(authority, view, device, regime),
      Authority.trustIn(authority, view, device, regime)
    ])
  }))
}

export const verdicts = (authority: Authority.Authority, { entries }: RandomSpace) => {
  const views = [
    Authority.present(authority),
    ...entries.map((entry) => Authority.look(authority, Authority.emptyView(authority), [at(entry)])),
    ...entries.map((entry) => authority.nodes.get(entry.hash)!.view)
  ]
  const feeds = [...new Set(entries.map(({ feed }) => feed.id))]
  return {
    restrictions: Authority.restrictions(authority).map(restrictionName),
    forks: [...authority.forks].sort(),
    members: Authority.members(authority),
    admissions: devices.map((device) => Authority.admissionOf(authority, device)?.hash),
    boxes: devices.map((device) => Authority.boxOf(authority, device)),
    dismissals: devices.map((device) => Authority.dismissal(authority, device)?.restriction.node.hash),
    definitions: Authority.definitions(authority).map(({ version }) => version),
    named: devices.map((device) => Authority.isNamed(authority, device)),
    settlements: feeds.sort().map((feed) => Authority.settlementOf(authority, feed)?.hash),
    cuts: devices.flatMap((device) =>
      [dataFeedOf(device), feedOf(device).id].map((feed) => Authority.cutOf(authority, device, feed))
    ),
    grounds: [...Authority.grounds(authority)].sort(),
    views: views.map((view) => [
      devices.map((device) => Authority.isAdmitted(authority, view, device)),
      verdictsOf(authority, view)
    ])
  }
}
