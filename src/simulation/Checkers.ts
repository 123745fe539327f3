/**
 * What must hold in every simulated world, apart from how the world came about: each checker a question to the evidence.
 *
 * Evidence is what lies in the stores, what replicas show, what people were told and what a witness saw leave. Checkers
 * return what is wrong in sentences; nothing found is an empty list. They judge with the oracle and the model, never
 * with the books of the replica that they judge.
 */
import { short, type DeviceId, type EntryHash } from "../identity/Id.ts"
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Clock from "../journal/Clock.ts"
import * as State from "../journal/crdt/State.ts"
import * as Ledger from "../runtime/Ledger.ts"
import { startOf, type Line } from "../runtime/Line.ts"
import * as Operations from "../runtime/Operations.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Authority from "../trust/Authority.ts"
import { capability, implies } from "../trust/Capability.ts"
import * as Model from "./Model.ts"
import * as Notebook from "./Notebook.ts"
import * as Oracle from "./Oracle.ts"
import { forksOf } from "./Past.ts"
import type { DataEntry, Records } from "./Records.ts"
import type { Deed } from "./Workload.ts"

export interface Violation {
  readonly checker: string
  readonly what: string
}

/** One device that is up at the end. */
export interface Evidence {
  readonly name: string
  readonly device: DeviceId
  /** Unix milliseconds by its own clock. */
  readonly nowMillis: number
  readonly replica: Replica
  readonly records: Records
}

/** Evidence with what follows from it by the oracle. */
interface Examined extends Evidence {
  readonly oracle: Oracle.Oracle
  readonly counting: ReadonlyArray<DataEntry>
  readonly requests: ReadonlyMap<string, DataEntry>
  readonly members: ReadonlySet<DeviceId>
  /** Members that may be told what is in the space. */
  readonly readers: ReadonlySet<DeviceId>
}

export interface Question {
  readonly evidence: ReadonlyArray<Evidence>
  readonly deeds: ReadonlyArray<Deed>
  readonly deviceOf: (name: string) => DeviceId
  /** Devices that may contradict themselves: liars, and who has a disk that lies. */
  readonly mayFork: ReadonlySet<DeviceId>
}

const examine = (evidence: Evidence): Examined | undefined => {
  const { nowMillis, records } = evidence
  if (records.genesis === undefined) return undefined
  const nowTime = Clock.fromMillis(nowMillis + Clock.driftMaxMillis)
  const known = records.authority.filter(({ time }) => time <= nowTime)
  const oracle = Oracle.make(known, records.genesis, forksOf(records.authority))
  const counting = Model.counting(records.data, oracle, nowTime)
  const [members, readers] = [oracle.members(), oracle.readers(Clock.fromMillis(nowMillis))]
  return { ...evidence, oracle, counting, requests: Model.requestsOf(counting), members, readers }
}

/** Everything that is wrong at the end of a world. */
export const check = (question: Question): ReadonlyArray<Violation> => {
  const examined = question.evidence.flatMap((evidence) => examine(evidence) ?? [])
  return [
    ...examined.flatMap(isModel),
    ...examined.flatMap(isAuthority),
    ...examined.flatMap(isEarned),
    ...examined.flatMap(isVerdict),
    ...alike(examined),
    ...kept(question, examined),
    ...neverForked(question)
  ]
}

const found = (checker: string, what: string): ReadonlyArray<Violation> => [{ checker, what }]

/** What a replica shows is what its entries amount to. */
const isModel = ({ counting, name, replica }: Examined): ReadonlyArray<Violation> => {
  const shown = canonical(Operations.toJson(Operations.state(replica, Notebook.app)))
  const expected = canonical(Model.stateOf(counting))
  return shown === expected ? [] : found("model", `${name} shows ${shown} where its entries amount to ${expected}`)
}

/** The books agree with the oracle about members and ends of feeds. */
const isAuthority = ({ members, name, oracle, records, replica }: Examined): ReadonlyArray<Violation> => {
  const ledger = replica.ledger()
  if (ledger.authority === undefined) return []
  const books = Authority.members(ledger.authority).flatMap(({ device, revoked }) => (revoked ? [] : [device]))
  const violations: Array<Violation> = []
  if (canonical(books.toSorted()) !== canonical([...members].toSorted()))
    violations.push({ checker: "authority", what: `${name} takes ${names(books)} for members, not ${names(members)}` })
  for (const { feed, line: name } of records.data) {
    const { device, id } = feed
    const line = ledger.lines.get(name)
    const cut = oracle.cutAt(device, id)
    if (line !== undefined && line.judged > Math.max(cut, startOf(line)))
      violations.push({ checker: "cut", what: `${name} judged ${line.judged} entries of ${short(id)}, cut at ${cut}` })
  }
  return violations
}

/** What lets people do most, and pass it on. */
const probes = [
  "*",
  "note:write",
  "setting:write",
  "device:admit",
  "device:revoke",
  "device:rollback",
  "space:read"
].map((text) => capability(text))

/** Nobody holds what no chain gives, nobody lacks what one does; and what restricts was earned. */
const isEarned = ({ name, nowMillis, oracle, records, replica }: Examined): ReadonlyArray<Violation> => {
  const { authority } = replica.ledger()
  if (authority === undefined) return []
  const restricting = Authority.restrictions(authority).map(
    ({ index, node, reach }) => `${node.hash} ${index} ${reach}`
  )
  const standing = [...oracle.standing()]
  const violations: Array<Violation> = []
  if (canonical(restricting.toSorted()) !== canonical(standing.toSorted()))
    violations.push({
      checker: "restrictions",
      what: `for ${name} ${String(restricting)} stand, not ${String(standing)}`
    })
  const devices = new Set(
    records.authority.flatMap(({ facts }) => facts.flatMap((fact) => ("device" in fact ? fact.device : [])))
  )
  const time = Clock.fromMillis(nowMillis)
  for (const device of devices) {
    const held = Authority.rights(authority, Authority.present(authority), device)
    for (const probe of probes)
      for (const depth of [0, 1, 2]) {
        const has = held.some(
          (right) => right.depth >= depth && isOpen(right, time) && implies(right.capability, probe)
        )
        if (has !== oracle.holdsNow(device, probe, time, depth))
          violations.push({
            checker: "rights",
            what: `${name} ${has ? "lets" : "does not let"} ${short(device)} do ${probe} ${depth}`
          })
      }
  }
  return violations
}

/** An entry was applied because some chain entitles its author, and refused because none does. */
const isVerdict = ({ counting, name, records, replica }: Examined): ReadonlyArray<Violation> => {
  const { lines, quarantine } = replica.ledger()
  const counts = new Set(counting)
  return records.data.flatMap((entry) => {
    const { feed, line, seq } = entry
    const isApplied = seq < (lines.get(line)?.judged ?? 0) && !quarantine.has(`${feed.id} ${seq}`)
    if (isApplied === counts.has(entry)) return []
    return found(
      "verdict",
      `${name} ${isApplied ? "applied" : "did not apply"} entry ${seq} of ${short(feed.id)} of ${short(feed.device)}`
    )
  })
}

/** Two that take each other for members who may read have the same of everything. */
const alike = (examined: ReadonlyArray<Examined>): ReadonlyArray<Violation> =>
  pairs(examined).flatMap(([one, other]) => {
    if (!one.readers.has(other.device) || !other.readers.has(one.device)) return []
    const [ours, theirs] = [summary(one.replica), summary(other.replica)]
    return Object.keys(ours).flatMap((part) =>
      ours[part] === theirs[part]
        ? []
        : found("convergence", `${one.name} and ${other.name} differ in ${part}: ${ours[part]} and ${theirs[part]}`)
    )
  })

/** What two replicas with equal entries have in common, as text. */
const summary = (replica: Replica): { readonly [part: string]: string | undefined } => {
  const ledger = replica.ledger()
  const blocked = [...ledger.lines.values()].flatMap(({ blocked, feed, pending }) =>
    blocked === undefined || pending.length === 0 ? [] : [`${short(feed.id)} ${blocked._tag} at ${blocked.seq}`]
  )
  return {
    frontier: frontierText(replica),
    state: bytesToHex(State.digest(ledger.state)),
    members: ledger.authority === undefined ? "" : canonical(Authority.members(ledger.authority)),
    quarantine: canonical([...ledger.quarantine].toSorted(([one], [other]) => (one < other ? -1 : 1))),
    waiting: blocked.toSorted().join(", ")
  }
}

const frontierText = (replica: Replica): string =>
  [...Ledger.frontier(replica.ledger())]
    .map(([feed, { mark, seq }]) => `${short(feed)} ${seq} ${mark.slice(0, 8)}`)
    .toSorted()
    .join(", ")

/** A replica and whose it is. */
export interface Side {
  readonly device: DeviceId
  readonly replica: Replica
}

/**
 * Whether all who take each other for members have the same, and nobody holds anything back: what comes of age later may
 * change who is a member.
 */
export const doAllAgree = (sides: ReadonlyArray<Side>): boolean => {
  // whom somebody has put out may wait for ever for what nobody tells it any more
  const isIn = (one: Side): boolean =>
    sides.every(({ replica }) => replica.ledger().authority === undefined || takes(replica, one.device))
  return sides.every(
    (one) =>
      !isHolding(one.replica) &&
      (!isIn(one) || one.replica.ledger().authority === undefined || isSettled(one.replica, sides)) &&
      sides.every((other) => one === other || doAgree(one, other))
  )
}

/** Whether something here is too far ahead of the clock to be judged now. */
export const isHolding = (replica: Replica): boolean =>
  [...replica.ledger().lines.values()].some(({ blocked, pending }) => blocked?._tag === "Held" && pending.length > 0)

const doAgree = (one: Side, other: Side): boolean => {
  // who was admitted and knows nothing of it has not come in yet
  if (one.replica.ledger().authority === undefined) return !takes(other.replica, one.device)
  return !takes(one.replica, other.device) || !takes(other.replica, one.device) || haveSame(one.replica, other.replica)
}

/** Whether two replicas have the same entries. */
const haveSame = (one: Replica, other: Replica): boolean => {
  const [ours, theirs] = [Ledger.frontier(one.ledger()), Ledger.frontier(other.ledger())]
  if (ours.size !== theirs.size) return false
  for (const [feed, { mark, seq }] of ours) {
    const their = theirs.get(feed)
    if (their === undefined || their.seq !== seq || their.mark !== mark) return false
  }
  return true
}

/** Whether the replica takes this device for a member that may be told everything, by its books. */
export const takes = (replica: Replica, device: DeviceId): boolean => {
  const { authority } = replica.ledger()
  return (
    authority !== undefined &&
    Authority.members(authority).some((member) => member.device === device && !member.revoked) &&
    Authority.rights(authority, Authority.present(authority), device).some((right) =>
      implies(right.capability, reading)
    )
  )
}

const reading = capability("space:read")

/** Nothing within the limits of its feed waits or is held, but what a liar rests on what it told nobody. */
const isSettled = (replica: Replica, sides: ReadonlyArray<Side>): boolean => {
  const ledger = replica.ledger()
  return [...ledger.lines.values()].every(
    (line) => line.pending.length === 0 || line.judged > Ledger.limitOf(ledger, line) || isBaseless(line, sides)
  )
}

/** Whether a line of nobody here waits for what nobody here has. */
const isBaseless = ({ blocked, feed }: Line, sides: ReadonlyArray<Side>): boolean => {
  const awaited = blocked?._tag === "Waiting" ? blocked.forEntry : undefined
  if (awaited === undefined || sides.some(({ device }) => device === feed.device)) return false
  const there = sides.flatMap(({ replica }) => replica.ledger().lines.get(awaited.feed) ?? [])
  return there.every((line) => line.taken <= awaited.seq || isBaseless(line, sides))
}

/** What was acknowledged is there, what was refused is not, and repeats say the same. */
const kept = ({ deeds, deviceOf, mayFork }: Question, examined: ReadonlyArray<Examined>): ReadonlyArray<Violation> =>
  deeds.flatMap((deed) => {
    const author = deviceOf(deed.who)
    const key = Model.requestKey(author, deed.key)
    const what = `${deed.name} "${deed.key}" of ${deed.who}`
    if (deed.result instanceof Error) return found("idempotency", `${what}: ${deed.result.message}`)
    if (deed.outcome === "Open" || mayFork.has(author)) return []
    return examined.flatMap((one) => {
      const isThere = one.records.data.some(({ body }) => requestOf(body.request) === key)
      if (deed.outcome === "Refused")
        return isThere ? found("refused", `${what} was refused, and ${one.name} has it`) : []
      const isOwn = one.device === author
      if (isOwn && !isThere) return found("durability", `${what} was acknowledged, and its own store lacks it`)
      const mutual = one.readers.has(author) && (isOwn || believes(examined, author, one.device))
      // what a ceiling or a new policy leaves out counted when it was acknowledged
      return mutual && !(one.oracle.isLimited() ? isThere : one.requests.has(key))
        ? found("durability", `${what} was acknowledged, and does not count for ${one.name}`)
        : []
    })
  })

const believes = (examined: ReadonlyArray<Examined>, who: DeviceId, whom: DeviceId): boolean =>
  examined.some(({ device, readers }) => device === who && readers.has(whom))

const requestOf = (request: { readonly requester: DeviceId; readonly key: string } | undefined): string | undefined =>
  request === undefined ? undefined : Model.requestKey(request.requester, request.key)

/** No two stores hold different entries at one place in a feed of an honest device, and nobody has proof of such. */
const neverForked = ({ evidence, mayFork }: Question): ReadonlyArray<Violation> => {
  const hashes = new Map<string, EntryHash>()
  const violations: Array<Violation> = []
  for (const { name, records, replica } of evidence) {
    for (const { feed, hash, seq } of [...records.authority, ...records.data]) {
      const place = `${feed.id} ${seq}`
      const known = hashes.get(place)
      hashes.set(place, known ?? hash)
      if (known !== undefined && known !== hash && !mayFork.has(feed.device))
        violations.push({ checker: "never fork", what: `${name} has another entry ${seq} of ${short(feed.id)}` })
    }
    for (const feed of replica.ledger().forks.keys()) {
      const device = [...records.authority, ...records.data].find((entry) => entry.feed.id === feed)?.feed.device
      if (device !== undefined && !mayFork.has(device))
        violations.push({ checker: "never fork", what: `${name} has a proof against honest ${short(device)}` })
    }
  }
  return violations
}

const pairs = <A>(list: ReadonlyArray<A>): ReadonlyArray<readonly [A, A]> =>
  list.flatMap((one, index) => list.slice(index + 1).map((other): readonly [A, A] => [one, other]))

const isOpen = ({ from, until }: Authority.Held, time: number): boolean =>
  (from === undefined || from <= time) && (until === undefined || time <= until)

const names = (devices: Iterable<DeviceId>): string => [...devices].map(short).toSorted().join(", ") || "nobody"

/** JSON with sorted keys. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner
  )
