/**
 * Who may do what in a space, as a function of the set of its authority entries, whatever the order of their arrival.
 *
 * The rule (design: authority; counterexamples behind it: concurrent revocation, backdating, mutual eviction):
 *
 *   past(x) = everything x names by hash (`prev`, `seen`), closed.
 *   x is judged with the grants in its own past, and against every standing restriction whose cut does not contain x,
 *   wherever and whenever that restriction was written.
 *
 * Which restrictions stand, in strata, so that nothing is circular:
 *   1. those signed by the space's root key, always;
 *   2. any other R, if its author held the authority, judged with what lies in past(R) and with stratum 1 alone;
 *   3. grants and data: the sentence above, against the restrictions of 1 and 2.
 *
 * Late grants therefore never change a verdict; late restrictions and proofs of forks do, and only for what their cut
 * leaves out. A fork freezes a feed's grants at the fork; restrictions earned on any branch stand.
 *
 * An `Authority` is an immutable value; verdicts are memoised inside it. It knows entries of authority feeds only, each
 * added after everything it names (`knows` tells). Laws: test/trust/Authority.test.ts (any order, same verdicts; a
 * brute-force oracle agrees). It verifies no signatures and reads no clock.
 */
import type { DefinitionId, DeviceId, EntryHash, FeedId } from "../identity/Id.ts"
import type { Feed, Position } from "../journal/Feed.ts"
import type { Genesis } from "../journal/Genesis.ts"
import { all, capability, implies, meet, type Capability } from "./Capability.ts"
import type { Definition } from "./Definition.ts"
import type * as Fact from "./Fact.ts"
import { grantDepthMax } from "./limits.ts"

/** An authority entry whose chain was verified. */
export interface AuthorityEntry {
  readonly feed: Feed
  readonly seq: number
  readonly hash: EntryHash
  /** Hash of the entry before it; the FeedId when there is none. */
  readonly previousHash: EntryHash
  readonly time: number
  readonly seen: ReadonlyArray<Position>
  readonly facts: ReadonlyArray<Fact.DecodedFact>
}

/** An entry with its past: the last entry of each authority feed it builds on. */
export interface Node extends AuthorityEntry {
  readonly view: View
  readonly previous: Node | undefined
}

/** What somebody had seen of the authority feeds, closed. Equal views of one Authority are the same object. */
export interface View {
  readonly id: number
  readonly heads: ReadonlyMap<FeedId, Node>
}

/** A right with the grants that passed it on, first one first. Empty for what founding the space gave. */
export interface Held extends Fact.Right {
  readonly through: ReadonlyArray<EntryHash>
}

/** A standing restriction: the device it ends, and how much of each of its feeds it leaves alone. */
export interface Restriction {
  readonly node: Node
  readonly fact: Fact.Revoke
  readonly cut: ReadonlyMap<FeedId, Position>
}

export interface Authority {
  readonly genesis: Genesis
  readonly nodes: ReadonlyMap<EntryHash, Node>
  /** Lowest position at which a feed is proved forked. */
  readonly forks: ReadonlyMap<FeedId, number>
  readonly memo: Memo
}

interface Memo {
  readonly views: Map<string, View>
  readonly grants: Map<DeviceId, Array<readonly [Node, Fact.Grant]>>
  readonly admissions: Map<DeviceId, Array<readonly [Node, Fact.Admit]>>
  readonly definitions: Map<DefinitionId, Array<readonly [Node, Definition]>>
  readonly revocations: Array<readonly [Node, Fact.Revoke]>
  readonly standing: Map<Fact.Revoke, boolean>
  final: Judge | undefined
  present: View | undefined
}

/** One set of restrictions to judge against, with what was found under it. */
interface Judge {
  readonly restrictions: ReadonlyArray<Restriction>
  readonly rights: Map<string, ReadonlyArray<Held>>
  readonly admitted: Map<string, Node | undefined>
  readonly valid: Map<EntryHash, boolean>
}

/** The rights that exist before any grant. */
const everything: Held = { capability: all, depth: grantDepthMax, from: undefined, until: undefined, through: [] }

const needs = {
  admit: capability("device:admit"),
  define: capability("app:define"),
  revoke: capability("device:revoke"),
  rollback: capability("device:rollback")
} as const

/** The authority of a space of which nothing but the founding record is known. */
export const make = (genesis: Genesis): Authority => ({
  genesis,
  nodes: new Map(),
  forks: new Map(),
  memo: emptyMemo(new Map())
})

/** Whether the entry at this position is here. Asking with another hash than ours is asking for another history. */
export const knows = (authority: Authority, position: Position): boolean => {
  const node = authority.nodes.get(position.hash)
  return node !== undefined && node.feed.id === position.feed && node.seq === position.seq
}

/**
 * Adds entries, each after what it names; one already here is skipped. Dies when an entry's past is not here: callers
 * keep such entries waiting.
 */
export const extend = (authority: Authority, entries: ReadonlyArray<AuthorityEntry>): Authority => {
  const nodes = new Map(authority.nodes)
  const memo = emptyMemo(authority.memo.views)
  const byPosition = (feed: FeedId, seq: number, hash: EntryHash): Node => {
    const node = nodes.get(hash)
    if (node === undefined || node.feed.id !== feed || node.seq !== seq) throw new Error("an entry came before its past")
    return node
  }
  for (const entry of entries) {
    if (nodes.has(entry.hash)) continue
    const previous = entry.seq === 0 ? undefined : byPosition(entry.feed.id, entry.seq - 1, entry.previousHash)
    const heads = new Map<FeedId, Node>(previous?.view.heads)
    if (previous !== undefined) heads.set(previous.feed.id, previous)
    for (const position of entry.seen) joinHead(heads, byPosition(position.feed, position.seq, position.hash))
    nodes.set(entry.hash, { ...entry, previous, view: intern(memo.views, heads) })
  }
  return index({ genesis: authority.genesis, nodes, forks: authority.forks, memo })
}

/** Notes that a feed forks at `at`; a lower position replaces a higher one. */
export const fork = (authority: Authority, feed: FeedId, at: number): Authority => {
  const known = authority.forks.get(feed)
  if (known !== undefined && known <= at) return authority
  const forks = new Map(authority.forks).set(feed, at)
  return index({ genesis: authority.genesis, nodes: authority.nodes, forks, memo: emptyMemo(authority.memo.views) })
}

/** The view of who has seen nothing yet. */
export const emptyView = (authority: Authority): View => intern(authority.memo.views, new Map())

/** A view enlarged by what an entry says its author had seen. All positions are known here. */
export const look = (authority: Authority, view: View, seen: ReadonlyArray<Position>): View => {
  if (seen.length === 0) return view
  const heads = new Map(view.heads)
  for (const position of seen) {
    const node = authority.nodes.get(position.hash)
    if (node === undefined) throw new Error("a view of an entry that is not here")
    joinHead(heads, node)
  }
  return intern(authority.memo.views, heads)
}

/** The newest view there is: all entries of all authority feeds. */
export const present = (authority: Authority): View => (authority.memo.present ??= newest(authority))

const newest = (authority: Authority): View => {
  const heads = new Map<FeedId, Node>()
  for (const node of authority.nodes.values()) joinHead(heads, node)
  return intern(authority.memo.views, heads)
}

/** Restrictions that stand, root's first. */
export const restrictions = (authority: Authority): ReadonlyArray<Restriction> => finalJudge(authority).restrictions

/** The standing restriction that leaves out this position of a device's feed, if there is one. */
export const restrictionOn = (
  authority: Authority,
  device: DeviceId,
  feed: FeedId,
  seq: number
): Restriction | undefined => restrictedBy(authority, finalJudge(authority), device, feed, seq)

/** Where a data feed ends as far as the restrictions on its device go; undefined when nothing bounds it. */
export const cutOf = (authority: Authority, device: DeviceId, feed: FeedId): Position | "start" | undefined => {
  let last: Position | "start" | undefined
  for (const restriction of restrictions(authority)) {
    if (restriction.fact.device !== device) continue
    const cut = restriction.cut.get(feed)
    if (cut === undefined) return "start"
    if (last === undefined || (last !== "start" && cut.seq < last.seq)) last = cut
  }
  return last
}

/** The valid admission of a device within a view: the entry that made it a member. Root and creator need none. */
export const isAdmitted = (authority: Authority, view: View, device: DeviceId): boolean =>
  admitted(authority, finalJudge(authority), view, device)

/** Devices that somebody validly admitted and no standing restriction ends, newest view; creator included. */
export const members = (
  authority: Authority
): ReadonlyArray<{ readonly device: DeviceId; readonly name: string; readonly revoked: boolean }> => {
  const view = present(authority)
  const revoked = new Set(restrictions(authority).map((restriction) => restriction.fact.device))
  const result = [{ device: authority.genesis.creator, name: "creator", revoked: revoked.has(authority.genesis.creator) }]
  for (const [device, admissions] of authority.memo.admissions) {
    if (device === authority.genesis.creator) continue
    const admission = admissions.find(([node, fact]) => admits(authority, finalJudge(authority), node, fact))
    if (admission !== undefined && inView(view, admission[0]))
      result.push({ device, name: admission[1].name, revoked: revoked.has(device) })
  }
  return result
}

/** Whether a standing restriction ends the device: from some point on nothing it says counts. */
export const isRevoked = (authority: Authority, device: DeviceId): boolean =>
  restrictions(authority).some((restriction) => restriction.fact.device === device)

/** Whether some entry here, valid or not, admits the device: then its authority feeds matter:
 * a restriction behind another device's cut may still stand. */
export const isNamed = (authority: Authority, device: DeviceId): boolean =>
  device === authority.genesis.root || device === authority.genesis.creator || authority.memo.admissions.has(device)

/** The entry that a revocation of this device names: its admission, or the founding entry for the creator. */
export const admissionOf = (authority: Authority, device: DeviceId): Node | undefined => {
  if (device === authority.genesis.creator) return founding(authority)
  return authority.memo.admissions.get(device)?.find(([node, fact]) => admits(authority, finalJudge(authority), node, fact))?.[0]
}

/** X25519 key to which content for a device is sealed, from its admission. */
export const boxOf = (authority: Authority, device: DeviceId): Uint8Array | undefined =>
  authority.memo.admissions.get(device)?.find(([node, fact]) => admits(authority, finalJudge(authority), node, fact))?.[1].box

/** Rights a device holds within a view. */
export const rights = (authority: Authority, view: View, device: DeviceId): ReadonlyArray<Held> =>
  rightsOf(authority, finalJudge(authority), view, device)

/** The right by which a device may do `wanted` at `time` within a view, if it holds one. */
export const holds = (
  authority: Authority,
  view: View,
  device: DeviceId,
  wanted: Capability,
  time: number
): Held | undefined => covering(rights(authority, view, device), wanted, time, 0)

/** Whether a device may define applications now. */
export const mayDefine = (authority: Authority, device: DeviceId): boolean => {
  const view = present(authority)
  return isAdmitted(authority, view, device) && !isRevoked(authority, device) && rights(authority, view, device).some((right) => implies(right.capability, needs.define))
}

/** A definition by its id, if the view holds it and who wrote it had the right to. */
export const definition = (authority: Authority, view: View, id: DefinitionId): Definition | undefined =>
  authority.memo.definitions
    .get(id)
    ?.find(
      ([node]) => inView(view, node) && validFor(authority, finalJudge(authority), node, needs.define)
    )?.[1]

/** All valid definitions of the newest view, in the order of their entries' times. */
export const definitions = (authority: Authority): ReadonlyArray<Definition> =>
  [...authority.memo.definitions.values()]
    .flatMap((list) => list.filter(([node]) => validFor(authority, finalJudge(authority), node, needs.define)).slice(0, 1))
    .sort(([a], [b]) => a.time - b.time || (a.hash < b.hash ? -1 : 1))
    .map(([, found]) => found)

// — judging ————————————————————————————————————————————————————————————————————————————————————————————————

const finalJudge = (authority: Authority): Judge => {
  authority.memo.final ??= newJudge(
    authority.memo.revocations.filter(([node, fact]) => stands(authority, node, fact)).map(toRestriction)
  )
  return authority.memo.final
}

/** Strata 1 and 2. Recurses only into pasts, which get strictly smaller. */
const stands = (authority: Authority, node: Node, fact: Fact.Revoke): boolean => {
  const known = authority.memo.standing.get(fact)
  if (known !== undefined) return known
  const verdict = isTarget(authority, node, fact) && (isRoot(authority, node) || earned(authority, node, fact))
  authority.memo.standing.set(fact, verdict)
  return verdict
}

/** The device was admitted, by the entry that the revocation names, in the revocation's past. Root is never a target. */
const isTarget = (authority: Authority, node: Node, fact: Fact.Revoke): boolean => {
  if (fact.device === authority.genesis.root) return false
  const admission = authority.nodes.get(fact.admission)
  if (admission === undefined || !(inView(node.view, admission) || admission === node)) return false
  return (
    admission.facts.some((one) => one._tag === "Admit" && one.device === fact.device) ||
    (fact.device === authority.genesis.creator && admission === founding(authority))
  )
}

const earned = (authority: Authority, node: Node, fact: Fact.Revoke): boolean => {
  const judge = newJudge(
    authority.memo.revocations
      .filter(([other, revoke]) => other !== node && (isRoot(authority, other) || inView(node.view, other)) && stands(authority, other, revoke))
      .map(toRestriction)
  )
  const author = node.feed.device
  if (restrictedBy(authority, judge, author, node.feed.id, node.seq) !== undefined) return false
  if (!admitted(authority, judge, node.view, author)) return false
  const held = rightsOf(authority, judge, node.view, author)
  const may =
    author === fact.device ||
    authority.nodes.get(fact.admission)?.feed.device === author ||
    covering(held, needs.revoke, node.time, 0) !== undefined
  return may && (!takesBack(node, fact) || author === fact.device || covering(held, needs.rollback, node.time, 0) !== undefined)
}

/** Whether the cut lies below authority entries of the device that the author had seen: history, not only future. */
const takesBack = (node: Node, fact: Fact.Revoke): boolean => {
  for (const head of node.view.heads.values()) {
    if (head.feed.device !== fact.device) continue
    const cut = fact.cut.find((position) => position.feed === head.feed.id)
    if ((cut?.seq ?? -1) < head.seq) return true
  }
  return false
}

const restrictedBy = (
  authority: Authority,
  judge: Judge,
  device: DeviceId,
  feed: FeedId,
  seq: number
): Restriction | undefined =>
  device === authority.genesis.root
    ? undefined
    : judge.restrictions.find(
        (restriction) => restriction.fact.device === device && (restriction.cut.get(feed)?.seq ?? -1) < seq
      )

/** Whether an entry counts for what it gives: its author was a member, is not cut off there, and the feed not forked. */
const isValid = (authority: Authority, judge: Judge, node: Node): boolean => {
  const known = judge.valid.get(node.hash)
  if (known !== undefined) return known
  const device = node.feed.device
  const verdict =
    isRoot(authority, node) ||
    (node.seq < (authority.forks.get(node.feed.id) ?? Number.POSITIVE_INFINITY) &&
      restrictedBy(authority, judge, device, node.feed.id, node.seq) === undefined &&
      admitted(authority, judge, node.view, device))
  judge.valid.set(node.hash, verdict)
  return verdict
}

const validFor = (authority: Authority, judge: Judge, node: Node, wanted: Capability): boolean =>
  isValid(authority, judge, node) &&
  covering(rightsOf(authority, judge, node.view, node.feed.device), wanted, node.time, 0) !== undefined

const admits = (authority: Authority, judge: Judge, node: Node, fact: Fact.Admit): boolean =>
  fact.device !== authority.genesis.root && validFor(authority, judge, node, needs.admit)

const admitted = (authority: Authority, judge: Judge, view: View, device: DeviceId): boolean => {
  if (device === authority.genesis.root || device === authority.genesis.creator) return true
  const key = `${view.id} ${device}`
  if (judge.admitted.has(key)) return judge.admitted.get(key) !== undefined
  const found = authority.memo.admissions
    .get(device)
    ?.find(([node, fact]) => inView(view, node) && admits(authority, judge, node, fact))?.[0]
  judge.admitted.set(key, found)
  return found !== undefined
}

/** Each right on its own: capability, depth and window travel together and are met link by link. */
const rightsOf = (authority: Authority, judge: Judge, view: View, device: DeviceId): ReadonlyArray<Held> => {
  if (device === authority.genesis.root) return [everything]
  const key = `${view.id} ${device}`
  const known = judge.rights.get(key)
  if (known !== undefined) return known
  const result: Array<Held> = device === authority.genesis.creator ? [everything] : []
  for (const [node, grant] of authority.memo.grants.get(device) ?? []) {
    if (!inView(view, node) || !isValid(authority, judge, node)) continue
    const giver = rightsOf(authority, judge, node.view, node.feed.device)
    for (const right of grant.rights) {
      for (const held of giver) {
        const passed = pass(held, right, node)
        if (passed !== undefined) result.push(passed)
      }
    }
  }
  judge.rights.set(key, result)
  return result
}

/** What a giver's right lets through of a right he grants at `node`. */
const pass = (held: Held, right: Fact.Right, node: Node): Held | undefined => {
  const common = meet(held.capability, right.capability)
  if (common === undefined || held.depth < 1 || !within(held, node.time)) return undefined
  return {
    capability: common,
    depth: Math.min(right.depth, held.depth - 1),
    from: later(held.from, right.from),
    until: earlier(held.until, right.until),
    through: [...held.through, node.hash]
  }
}

const covering = (
  held: ReadonlyArray<Held>,
  wanted: Capability,
  time: number,
  depthMin: number
): Held | undefined =>
  held.find((right) => right.depth >= depthMin && within(right, time) && implies(right.capability, wanted))

const within = (right: Fact.Right, time: number): boolean =>
  (right.from === undefined || time >= right.from) && (right.until === undefined || time <= right.until)

const later = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.max(a, b)

const earlier = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b)

// — pasts ——————————————————————————————————————————————————————————————————————————————————————————————————

const isRoot = (authority: Authority, node: Node): boolean => node.feed.device === authority.genesis.root

const founding = (authority: Authority): Node | undefined => {
  for (const node of authority.nodes.values()) {
    if (node.seq === 0 && node.feed.device === authority.genesis.creator && node.facts[0]?._tag === "Create") return node
  }
  return undefined
}

/** Whether the view has seen the entry: it is the head of its feed or behind it on the same branch. */
const inView = (view: View, node: Node): boolean => {
  let head = view.heads.get(node.feed.id)
  while (head !== undefined && head.seq > node.seq) head = head.previous
  return head === node
}

const joinHead = (heads: Map<FeedId, Node>, node: Node): void => {
  for (const [feed, head] of node.view.heads) setHigher(heads, feed, head)
  setHigher(heads, node.feed.id, node)
}

const setHigher = (heads: Map<FeedId, Node>, feed: FeedId, node: Node): void => {
  const known = heads.get(feed)
  if (known === undefined || known.seq < node.seq || (known.seq === node.seq && node.hash < known.hash)) heads.set(feed, node)
}

const intern = (views: Map<string, View>, heads: ReadonlyMap<FeedId, Node>): View => {
  const key = [...heads.values()]
    .map((node) => node.hash)
    .sort()
    .join(" ")
  const known = views.get(key)
  if (known !== undefined) return known
  const view: View = { id: views.size, heads }
  views.set(key, view)
  return view
}

const toRestriction = ([node, fact]: readonly [Node, Fact.Revoke]): Restriction => ({
  node,
  fact,
  cut: new Map(fact.cut.map((position) => [position.feed, position]))
})

const newJudge = (restrictions: ReadonlyArray<Restriction>): Judge => ({
  restrictions,
  rights: new Map(),
  admitted: new Map(),
  valid: new Map()
})

const emptyMemo = (views: Map<string, View>): Memo => ({
  views,
  grants: new Map(),
  admissions: new Map(),
  definitions: new Map(),
  revocations: [],
  standing: new Map(),
  final: undefined,
  present: undefined
})

const index = (authority: Authority): Authority => {
  for (const node of authority.nodes.values()) {
    for (const fact of node.facts) {
      if (fact._tag === "Grant") push(authority.memo.grants, fact.device, [node, fact])
      else if (fact._tag === "Admit") push(authority.memo.admissions, fact.device, [node, fact])
      else if (fact._tag === "Define") push(authority.memo.definitions, fact.definition.id, [node, fact.definition])
      else if (fact._tag === "Revoke") authority.memo.revocations.push([node, fact])
    }
  }
  for (const list of authority.memo.grants.values()) list.sort(byHash)
  for (const list of authority.memo.admissions.values()) list.sort(byHash)
  for (const list of authority.memo.definitions.values()) list.sort(byHash)
  authority.memo.revocations.sort((a, b) => Number(isRoot(authority, b[0])) - Number(isRoot(authority, a[0])) || byHash(a, b))
  return authority
}

const byHash = ([a]: readonly [Node, unknown], [b]: readonly [Node, unknown]): number =>
  a.time - b.time || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)

const push = <Key, Value>(map: Map<Key, Array<Value>>, key: Key, value: Value): void => {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
