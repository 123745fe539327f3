/**
 * The web of trust as it counts for one position: what trust/Trust.ts computes with, taken from the entries of a view.
 *
 * Relations and attestations count if the view has seen them and their entries count, wherever they were said; lowerings
 * and reports if they stand and are in the regime: so what came later than a position leaves that position as it is,
 * but for restrictions that leave it out.
 */
import type { DeviceId } from "../identity/Id.ts"
import * as Book from "./Book.ts"
import * as Judge from "./Judge.ts"
import { isAtLeast, meet, type Level } from "./Level.ts"
import * as Regime from "./Regime.ts"
import * as Trust from "./Trust.ts"

/** The web within a view, less what the regime takes away. */
export const of = (judge: Judge.Judge, view: Book.View, regime: Regime.Regime): Trust.Web => {
  const name = `web ${view.id} ${regime.number}`
  const known = judge.derived.get(name)
  if (known !== undefined) return known as Trust.Web
  const web = Trust.make(statements(judge, view, Judge.unlifted(judge, view, regime)))
  judge.derived.set(name, web)
  return web
}

/** The web as the author of an entry had seen it. */
export const seenBy = (judge: Judge.Judge, node: Book.Node): Trust.Web =>
  of(judge, node.view, Regime.ofNode(judge.regimes, node))

const statements = (judge: Judge.Judge, view: Book.View, { limits }: Regime.Regime): Trust.Statements => {
  const { book } = judge
  const counts = ({ node }: Book.Stated<unknown>): boolean =>
    Book.inView(view, node) && Judge.verdict(judge, node) !== undefined
  const relations = new Map<DeviceId, Map<DeviceId, Level>>()
  for (const stated of book.relations) {
    if (!counts(stated)) continue
    const { device, level } = stated.fact
    const edges = relations.get(stated.node.feed.device) ?? new Map<DeviceId, Level>()
    relations.set(stated.node.feed.device, edges)
    const known = edges.get(device)
    if (known === undefined || isAtLeast(level, known)) edges.set(device, level)
  }
  const attestations = new Map<DeviceId, Set<DeviceId>>()
  for (const stated of book.attestations) {
    if (!counts(stated)) continue
    const attesters = attestations.get(stated.fact.device) ?? new Set<DeviceId>()
    attestations.set(stated.fact.device, attesters.add(stated.node.feed.device))
  }
  const ceilings = new Map<DeviceId, Level>()
  const reports = new Map<DeviceId, Array<Trust.Report>>()
  for (const limit of limits) {
    if (Regime.isOf(limit, "Lower")) {
      const { device, level } = limit.fact
      const author = limit.node.feed.device
      const edges = relations.get(author)
      const edge = edges?.get(device)
      if (edge !== undefined) edges!.set(device, meet(edge, level))
      if (limit.reach === "all") ceilings.set(device, meet(ceilings.get(device) ?? "High", level))
    } else if (Regime.isOf(limit, "Report")) {
      const { device, severity } = limit.fact
      const list = reports.get(device) ?? []
      reports.set(device, [
        ...list,
        { hash: limit.node.hash, reporter: limit.node.feed.device, severity, seen: limit.web ?? rootsWeb(judge) }
      ])
    }
  }
  const { creator, root } = book.genesis
  return { roots: [root, creator], relations, attestations, ceilings, reports }
}

/** What root says needs nobody's word. */
const rootsWeb = ({ book }: Judge.Judge): Trust.Web => {
  const { creator, root } = book.genesis
  const nothing = new Map<never, never>()
  return Trust.make({
    roots: [root, creator],
    relations: nothing,
    attestations: nothing,
    reports: nothing,
    ceilings: nothing
  })
}
