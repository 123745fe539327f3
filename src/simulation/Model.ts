/**
 * What a journal of the simulated application amounts to, computed the slow way: which entries count, and the state.
 *
 * It asks the oracle (Oracle.ts) who was entitled, and joins what is left by definition: sums, latest times, additions
 * that no later removal names. It shares neither state nor code with journal/crdt or runtime/Ledger.ts.
 */
import type { DeviceId, FeedId } from "../identity/Id.ts"
import { toBytes } from "../identity/Id.ts"
import type * as Cbor from "../journal/Cbor.ts"
import type { Position } from "../journal/Feed.ts"
import { capability } from "../trust/Capability.ts"
import * as Notebook from "./Notebook.ts"
import type * as Oracle from "./Oracle.ts"
import { forksOf } from "./Past.ts"
import type { DataEntry } from "./Records.ts"

/** One change with what orders and names it. */
interface Said {
  readonly mutator: string
  readonly path: ReadonlyArray<Cbor.Cbor>
  readonly time: number
  readonly feed: FeedId
  readonly seq: number
  readonly index: number
}

/** The entries that count, by what is in the store; `nowTime`: later ones are held. */
export const counting = (
  entries: ReadonlyArray<DataEntry>,
  oracle: Oracle.Oracle,
  nowTime: number
): ReadonlyArray<DataEntry> => {
  const entitled: Array<DataEntry> = []
  const byFeed = new Map<FeedId, Array<DataEntry>>()
  for (const entry of entries) {
    const list = byFeed.get(entry.feed.id)
    if (list === undefined) byFeed.set(entry.feed.id, [entry])
    else list.push(entry)
  }
  for (const [id, list] of byFeed) {
    const seen: Array<Position> = []
    const end = oracle.cutAt(list[0]!.feed.device, id)
    for (const entry of historyOf(list, oracle)) {
      if (entry.seq >= end || entry.time > nowTime || !entry.body.seen.every((position) => oracle.knows(position)))
        break
      seen.push(...entry.body.seen)
      if (isEntitled(entry, oracle, seen)) entitled.push(entry)
    }
  }
  return withoutRepeats(entitled)
}

/** What counts of a feed for its histories: all of one, else what all share, and what leads to the entry settled on. */
const historyOf = (list: ReadonlyArray<DataEntry>, oracle: Oracle.Oracle): ReadonlyArray<DataEntry> => {
  const { device, id } = list[0]!.feed
  const at = forksOf(list).get(id) ?? Infinity
  const settled = at === Infinity ? undefined : oracle.settledOn(device, id)
  const byHash = new Map(list.map((entry) => [entry.hash, entry]))
  const way = new Set<DataEntry>()
  let entry = settled && byHash.get(settled.hash)
  if (entry?.seq !== settled?.seq) entry = undefined
  for (; entry !== undefined; entry = byHash.get(entry.previousHash)) way.add(entry)
  return list.filter((one) => one.seq < at || way.has(one)).toSorted((a, b) => a.seq - b.seq)
}

const isEntitled = (entry: DataEntry, oracle: Oracle.Oracle, seen: ReadonlyArray<Position>): boolean => {
  const { device } = entry.feed
  const { body, time } = entry
  if (body.definition !== Notebook.app.definition.id || !oracle.isAdmitted(device, seen)) return false
  if (!oracle.defines(body.definition, seen) || !oracle.isAbove(time, body.seen)) return false
  if (body.request !== undefined && body.request.requester !== device) return false
  return body.facts.every(({ type }) => {
    const needed = Notebook.capabilityOf(type)
    if (needed === undefined) return false
    const deed = { app: Notebook.app.name, type, needed: capability(needed) }
    return oracle.mayDo(device, deed, { feed: entry.feed.id, seq: entry.seq, time, seen })
  })
}

/** Of entries with one idempotency key the lower (time, FeedId) counts. */
const withoutRepeats = (entries: ReadonlyArray<DataEntry>): ReadonlyArray<DataEntry> => {
  const first = new Map<string, DataEntry>()
  for (const entry of entries) {
    if (entry.body.request === undefined) continue
    const key = `${entry.body.request.requester} ${entry.body.request.key}`
    const known = first.get(key)
    if (known === undefined || isBefore(entry, known)) first.set(key, entry)
  }
  return entries.filter(
    (entry) =>
      entry.body.request === undefined ||
      first.get(`${entry.body.request.requester} ${entry.body.request.key}`) === entry
  )
}

const isBefore = (a: DataEntry, b: DataEntry): boolean =>
  a.time !== b.time ? a.time < b.time : a.feed.id !== b.feed.id ? a.feed.id < b.feed.id : a.seq < b.seq

/** Which of a device's operations count, by idempotency key. */
export const requestsOf = (entries: ReadonlyArray<DataEntry>): ReadonlyMap<string, DataEntry> =>
  new Map(
    entries.flatMap((entry) =>
      entry.body.request === undefined ? [] : [[`${entry.body.request.requester} ${entry.body.request.key}`, entry]]
    )
  )

export const requestKey = (device: DeviceId, key: string): string => `${device} ${key}`

/** The state as JSON-like data, in the form of `Operations.toJson`. */
export const stateOf = (entries: ReadonlyArray<DataEntry>): unknown => {
  const said = entries.flatMap((entry) => {
    let index = 0
    return entry.body.facts.flatMap(({ payload }) =>
      (payload as ReadonlyArray<ReadonlyArray<Cbor.Cbor>>).map(([mutator, ...path]): Said => ({
        mutator: String(mutator),
        path,
        time: entry.time,
        feed: entry.feed.id,
        seq: entry.seq,
        index: index++
      }))
    )
  })
  const on = (field: string) => said.filter(({ path }) => path[0] === field)
  return {
    notes: notes(on("notes")),
    settings: settings(on("settings")),
    tags: tags(on("tags")),
    tally: sum(on("tally"))
  }
}

const notes = (said: ReadonlyArray<Said>): unknown => {
  const ids = [...new Set(said.map(({ path }) => String(path[1])))].sort()
  return Object.fromEntries(
    ids.flatMap((id) => {
      const about = said.filter(({ path }) => path[1] === id)
      const puts = about.filter(({ mutator }) => mutator === "put")
      const removals = about.filter(({ mutator }) => mutator === "remove")
      if (!puts.some((put) => removals.every((removal) => !names(removal, put)))) return []
      const titles = [...puts, ...about.filter(({ mutator }) => mutator === "set")]
      return [[id, { title: titleOf(latest(titles)), votes: sum(about.filter(({ mutator }) => mutator === "add")) }]]
    })
  )
}

const titleOf = (said: Said | undefined): Cbor.Cbor => {
  if (said === undefined) return null
  const last = said.path[said.path.length - 1]!
  return said.mutator === "put" ? (last as { readonly title: Cbor.Cbor }).title : last
}

const settings = (said: ReadonlyArray<Said>): unknown => {
  const keys = [...new Set(said.map(({ path }) => String(path[1])))].sort()
  return Object.fromEntries(
    keys.flatMap((key) => {
      const last = latest(said.filter(({ path }) => path[1] === key))
      return last?.mutator === "set" ? [[key, last.path[2]]] : []
    })
  )
}

const tags = (said: ReadonlyArray<Said>): unknown => {
  const additions = said.filter(({ mutator }) => mutator === "add")
  const removals = said.filter(({ mutator }) => mutator === "remove")
  const left = additions.filter((one) => removals.every((other) => other.path[1] !== one.path[1] || !names(other, one)))
  return [...new Set(left.map(({ path }) => String(path[1])))].sort()
}

const sum = (said: ReadonlyArray<Said>): number =>
  said.reduce((total, { path }) => total + Number(path[path.length - 1]), 0)

const latest = (said: ReadonlyArray<Said>): Said | undefined =>
  said.reduce<Said | undefined>((last, one) => (last === undefined || isEarlier(last, one) ? one : last), undefined)

const isEarlier = (a: Said, b: Said): boolean => {
  if (a.time !== b.time) return a.time < b.time
  if (a.feed !== b.feed) return a.feed < b.feed
  return a.seq !== b.seq ? a.seq < b.seq : a.index < b.index
}

/** Whether a removal, written later, names this change's dot: the beginning of its feed's id, seq and index. */
const names = (removal: Said, one: Said): boolean => {
  const dots = removal.path[removal.path.length - 1] as ReadonlyArray<readonly [Uint8Array, number, number]>
  const feed = toBytes(one.feed)
  return (
    removal.time > one.time &&
    dots.some(
      ([prefix, seq, index]) => seq === one.seq && index === one.index && prefix.every((byte, i) => byte === feed[i])
    )
  )
}
