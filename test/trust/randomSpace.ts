/**
 * Random small spaces that collide: five keys, a handful of capabilities, times from a pool of six, cuts that name
 * anything, forks, entries that have seen only some of the others. Everything is decoded from small numbers, so that
 * fast-check can shrink a space to the few entries that matter.
 */
import fc from "fast-check"
import type { FeedId } from "../../src/identity/Id.ts"
import type { Position } from "../../src/journal/Feed.ts"
import type { AuthorityEntry } from "../../src/trust/Authority.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import {
  admit,
  alice,
  at,
  bob,
  carol,
  create,
  define,
  grant,
  hashOf,
  mallory,
  paper,
  revoke,
  right,
  root
} from "./space.ts"

export const devices = [alice, bob, carol, mallory, root]

export const wanted = [
  "device:admit",
  "device:revoke",
  "device:rollback",
  "kv:write",
  "kv:write/a",
  "kv:write/a/b",
  "*"
]

export const definitions = [define(1), define(2)]

const capabilities = [
  "app:define",
  "*",
  "device:admit",
  "device:revoke",
  `device:revoke/${carol}`,
  "device:rollback",
  "kv:write",
  "kv:write/*",
  "kv:write/a/*",
  "kv:write/a"
]

export interface RandomSpace {
  readonly entries: ReadonlyArray<AuthorityEntry>
  readonly proofs: ReadonlyMap<FeedId, number>
}

type Genes = ReadonlyArray<number>

/** Reads one small number after the other; 0 for ever once they are used up. */
const reader = (genes: Genes) => {
  let next = 0
  const below = (limit: number): number => (genes[next++] ?? 0) % limit
  return { below, pick: <One>(list: ReadonlyArray<One>): One => list[below(list.length)]! }
}

type Reader = ReturnType<typeof reader>

const randomRight = ({ below, pick }: Reader): Fact.Right => {
  const from = below(4) === 1 ? below(6) : undefined
  const until = below(3) === 1 ? below(8) : undefined
  return right(pick(capabilities), { depth: below(3), from, until })
}

const randomCut = (read: Reader, entries: ReadonlyArray<AuthorityEntry>, ended: AuthorityEntry["feed"]["device"]) => {
  const cut = new Map<FeedId, Position>()
  const own = entries.filter((entry) => entry.feed.device === ended)
  for (let count = read.below(4); count > 0; count--) {
    const position = at(read.pick(own.length > 0 && read.below(4) > 0 ? own : entries))
    const strange = read.below(12)
    if (strange === 1) cut.set(position.feed, { ...position, hash: hashOf(900_000) })
    else if (strange === 2) cut.set(position.feed, { ...position, seq: position.seq + 1 })
    else cut.set(position.feed, position)
  }
  return [...cut.values()]
}

const randomFact = (read: Reader, entries: ReadonlyArray<AuthorityEntry>): Fact.AuthorityFact => {
  const device = read.pick(devices)
  switch (read.below(6)) {
    case 5:
      return read.pick(definitions)
    case 0:
      return admit(device)
    case 1:
      return grant(device, randomRight(read))
    case 2:
      return grant(device, randomRight(read), randomRight(read))
    default: {
      const admissions = entries.filter((entry) => entry.facts.some((f) => f._tag === "Admit" && f.device === device))
      const right = device === alice ? entries[0]! : admissions[read.below(Math.max(1, admissions.length))]
      const admission = right === undefined || read.below(8) === 1 ? read.pick(entries) : right
      return revoke(device, admission, ...randomCut(read, entries, device))
    }
  }
}

const build = (genes: ReadonlyArray<Genes>): RandomSpace => {
  const sheet = paper()
  const { entries } = sheet
  sheet.write(alice, [create])
  const forBob = grant(bob, right("*", { depth: 2 }))
  const forCarol = grant(carol, right("kv:write", { depth: 1, from: 2, until: 4 }))
  sheet.write(alice, [admit(bob), forBob, admit(carol), forCarol])
  for (const gene of genes) {
    const read = reader(gene)
    const author = read.pick(devices)
    const incarnation = read.below(4) === 1 ? 1 : 0
    const own = entries.filter((entry) => entry.feed.device === author)
    const after = own.length > 0 && read.below(6) === 1 ? read.pick([...own, "nothing" as const]) : undefined
    const seen = read.below(3) > 0 ? entries : entries.filter(() => read.below(2) === 1)
    const facts = [randomFact(read, entries), ...(read.below(3) === 1 ? [randomFact(read, entries)] : [])]
    const time = read.below(3) === 1 ? read.below(8) : Math.min(7, Math.floor(entries.length / 2))
    sheet.write(author, facts, { incarnation, seen: [...seen], time, ...(after === undefined ? {} : { after }) })
  }
  const last = reader(genes.at(-1) ?? [])
  const proofs = new Map<FeedId, number>()
  if (last.below(5) === 1) {
    const { feed, seq } = last.pick(entries)
    proofs.set(feed.id, seq)
  }
  return { entries, proofs }
}

const gene = fc.array(fc.nat({ max: 4095 }), { minLength: 12, maxLength: 28 })

/** Spaces of three to `entriesMax` entries. */
export const randomSpace = (entriesMax: number): fc.Arbitrary<RandomSpace> =>
  fc.array(gene, { minLength: 1, maxLength: entriesMax - 2 }).map(build)

/** An order in which every entry comes after what it names, drawn by `genes`; then cut into batches. */
export const reordered = (
  entries: ReadonlyArray<AuthorityEntry>,
  genes: Genes
): ReadonlyArray<ReadonlyArray<AuthorityEntry>> => {
  const read = reader(genes)
  const waiting = [...entries]
  const here = new Set<string>()
  const batches: Array<Array<AuthorityEntry>> = [[]]
  while (waiting.length > 0) {
    const ready = waiting.filter(
      (entry) => (entry.seq === 0 || here.has(entry.previousHash)) && entry.seen.every(({ hash }) => here.has(hash))
    )
    const entry = read.pick(ready)
    here.add(entry.hash)
    waiting.splice(waiting.indexOf(entry), 1)
    if (read.below(3) === 1) batches.push([])
    batches.at(-1)!.push(entry)
  }
  return batches
}
