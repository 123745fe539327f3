/**
 * The rule of authority once more, written down as slowly as it reads: sets of entries, all chains tried, nothing
 * remembered but pasts. It shares types with the engine and no code.
 */
import type { DeviceId, EntryHash, FeedId } from "../../src/identity/Id.ts"
import type { Genesis } from "../../src/journal/Genesis.ts"
import type { AuthorityEntry } from "../../src/trust/Authority.ts"
import type * as Fact from "../../src/trust/Fact.ts"

type Past = ReadonlySet<AuthorityEntry>

/** A revocation and the entry that states it. */
export interface Stated {
  readonly entry: AuthorityEntry
  readonly revoke: Fact.Revoke
}

/** By what an entry is judged: restrictions, and whether forks freeze (stratum 3) or not (stratum 2). */
interface Bench {
  readonly restrictions: ReadonlyArray<Stated>
  readonly forksFreeze: boolean
}

/** Whether who may do `a` may do `b`, part by part. */
export const allows = (a: string, b: string): boolean => {
  if (a === "*" || b === "*") return a === "*"
  const [actionA, ...partsA] = a.split("/")
  const [actionB, ...partsB] = b.split("/")
  if (actionA !== actionB) return false
  if (partsA.length === 0) return true
  if (partsA.at(-1) !== "*") return partsA.join("/") === partsB.join("/")
  const prefix = partsA.slice(0, -1)
  return partsB.length > prefix.length && prefix.every((part, index) => part === partsB[index])
}

export const oracle = (
  { creator, root }: Genesis,
  entries: ReadonlyArray<AuthorityEntry>,
  proofs: ReadonlyMap<FeedId, number>
) => {
  const byHash = new Map<EntryHash, AuthorityEntry>(entries.map((entry) => [entry.hash, entry]))
  const before = (x: AuthorityEntry): AuthorityEntry | undefined =>
    x.seq === 0 ? undefined : byHash.get(x.previousHash)
  const closed = (heads: ReadonlyArray<AuthorityEntry>): Past => {
    const result = new Set<AuthorityEntry>()
    const open = [...heads]
    for (let x = open.pop(); x !== undefined; x = open.pop()) {
      if (result.has(x)) continue
      result.add(x)
      open.push(...[before(x) ?? [], ...x.seen.map(({ hash }) => byHash.get(hash)!)].flat())
    }
    return result
  }
  const pasts = new Map(
    entries.map((x) => [x, closed([before(x) ?? [], ...x.seen.map((p) => byHash.get(p.hash)!)].flat())])
  )
  const past = (x: AuthorityEntry): Past => pasts.get(x)!
  const author = (x: AuthorityEntry): DeviceId => x.feed.device
  const isFounder = (device: DeviceId): boolean => device === root || device === creator

  const isFrozen = (x: AuthorityEntry): boolean =>
    x.seq >= (proofs.get(x.feed.id) ?? Number.POSITIVE_INFINITY) ||
    entries.some(
      (a) =>
        a.feed.id === x.feed.id &&
        a.seq <= x.seq &&
        entries.some((b) => b !== a && b.feed.id === a.feed.id && b.seq === a.seq)
    )

  const leavesAlone = ({ cut }: Fact.Revoke, x: AuthorityEntry): boolean => {
    const last = cut.find(({ feed }) => feed === x.feed.id)
    if (last === undefined || last.seq < x.seq) return false
    const named = byHash.get(last.hash)
    if (named === undefined || named.feed.id !== last.feed || named.seq !== last.seq) return true
    let on: AuthorityEntry | undefined = named
    while (on !== undefined && on !== x) on = before(on)
    return on === x
  }
  const isLeftOut = ({ restrictions }: Bench, x: AuthorityEntry): boolean =>
    author(x) !== root && restrictions.some(({ revoke }) => revoke.device === author(x) && !leavesAlone(revoke, x))

  const counts = (bench: Bench, x: AuthorityEntry): boolean =>
    !(bench.forksFreeze && isFrozen(x)) && !isLeftOut(bench, x) && isMember(bench, past(x), author(x))

  const isMember = (bench: Bench, view: Past, device: DeviceId): boolean =>
    isFounder(device) ||
    [...view].some(
      (x) =>
        x.facts.some((fact) => fact._tag === "Admit" && fact.device === device) &&
        counts(bench, x) &&
        may(bench, past(x), author(x), "device:admit", [x.time], 0)
    )

  /** A chain of grants from a founder; `times` are those at which its last right is used and passed on. */
  const may = (
    bench: Bench,
    view: Past,
    device: DeviceId,
    wanted: string,
    times: ReadonlyArray<number>,
    hops: number
  ): boolean =>
    isFounder(device)
      ? hops <= 16
      : [...view].some((x) =>
          x.facts.some(
            (fact) =>
              fact._tag === "Grant" &&
              fact.device === device &&
              fact.rights.some(
                (right) =>
                  allows(right.capability, wanted) &&
                  right.depth >= hops &&
                  times.every((time) => time >= (right.from ?? time) && time <= (right.until ?? time)) &&
                  counts(bench, x) &&
                  may(bench, past(x), author(x), wanted, [...times, x.time], hops + 1)
              )
          )
        )

  const revocations: ReadonlyArray<Stated> = entries.flatMap((entry) =>
    entry.facts.flatMap((fact) => (fact._tag === "Revoke" ? [{ entry, revoke: fact }] : []))
  )
  const hasTarget = ({ entry, revoke }: Stated): boolean =>
    revoke.device !== root &&
    [...past(entry)].some(
      (x) =>
        x.hash === revoke.admission &&
        (x.facts.some((fact) => fact._tag === "Admit" && fact.device === revoke.device) ||
          (author(x) === creator && revoke.device === creator && x.seq === 0 && x.facts[0]?._tag === "Create"))
    )
  const stands = (stated: Stated): boolean => {
    const { entry, revoke } = stated
    if (!hasTarget(stated) || author(entry) === root) return hasTarget(stated)
    const above = revocations.filter((other) =>
      author(other.entry) === root ? hasTarget(other) : past(entry).has(other.entry) && stands(other)
    )
    const bench = { restrictions: above, forksFreeze: false }
    const takesBack = [...past(entry)].some((x) => author(x) === revoke.device && !leavesAlone(revoke, x))
    return (
      counts(bench, entry) &&
      (author(entry) === revoke.device ||
        may(bench, past(entry), author(entry), `device:revoke/${revoke.device}`, [entry.time], 0)) &&
      (!takesBack || may(bench, past(entry), author(entry), `device:rollback/${revoke.device}`, [entry.time], 0))
    )
  }

  const restrictions = revocations.filter(stands)
  const bench = { restrictions, forksFreeze: true }
  return {
    restrictions,
    isMember: (heads: ReadonlyArray<AuthorityEntry>, device: DeviceId) => isMember(bench, closed(heads), device),
    /** Whether a device holds `wanted` at a time, with `depth` further hops to give. */
    may: (heads: ReadonlyArray<AuthorityEntry>, device: DeviceId, wanted: string, time: number, depth: number) =>
      may(bench, closed(heads), device, wanted, [time], depth),
    mayAt: (x: AuthorityEntry, wanted: string) =>
      counts(bench, x) && may(bench, past(x), author(x), wanted, [x.time], 0)
  }
}
