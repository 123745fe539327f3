/**
 * Random small spaces that collide: five keys, a handful of capabilities, times from a pool of eight, cuts that name
 * anything, forks, entries that have seen only some of the others. Everything is decoded from small numbers, so that
 * fast-check can shrink a space to the few entries that matter. Each space has a theme, some kinds of facts that are
 * more frequent in it than others, or hardly any three of them would ever have to do with each other.
 */
import fc from "fast-check"
import type { DeviceId, FeedId } from "../../src/identity/Id.ts"
import type { Position } from "../../src/journal/Feed.ts"
import type { AuthorityEntry } from "../../src/trust/Authority.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import type { Hours } from "../../src/trust/Hours.ts"
import { levels, severities } from "../../src/trust/Level.ts"
import * as Policy from "../../src/trust/Policy.ts"
import {
  admit,
  alice,
  at,
  attest,
  bob,
  carol,
  create,
  dave,
  dataAt,
  define,
  feedOf,
  grant,
  hashOf,
  lift,
  lower,
  mallory,
  paper,
  refine,
  refineGrant,
  relate,
  report,
  revoke,
  right,
  root,
  seal,
  setPolicy,
  settle,
  ungrant,
  type Cut
} from "./space.ts"

export const devices = [alice, bob, carol, mallory, root]

/** Four hours, in entry time: what happens at 0 to 8 happens at different hours of two days. */
export const unit = 4 * 3_600_000 * 4096

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

export const operations = ["kv.write", "kv.read"]

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
  "kv:write/a",
  "delegation:revoke",
  "policy:set",
  "trust:lower"
]

const ceilings = [
  ["kv:write"],
  ["kv:write/a", "device:admit"],
  [],
  ["*"],
  ["kv:write/*", "device:revoke"],
  ["kv:write/a/*"]
]

const someHours: ReadonlyArray<Hours> = [
  { from: 0, to: 720, offset: 0 },
  { from: 1200, to: 360, offset: 0 },
  { from: 240, to: 480, offset: -120 },
  { from: 480, to: 1440, offset: 240 }
]

export interface RandomSpace {
  readonly entries: ReadonlyArray<AuthorityEntry>
  readonly proofs: ReadonlyMap<FeedId, number>
}

export type Genes = ReadonlyArray<number>

/** Reads one small number after the other; 0 for ever once they are used up. */
export const reader = (genes: Genes) => {
  let next = 0
  const below = (limit: number): number => (genes[next++] ?? 0) % limit
  return { below, pick: <One>(list: ReadonlyArray<One>): One => list[below(list.length)]! }
}

export type Reader = ReturnType<typeof reader>

const randomRight = ({ below, pick }: Reader): Fact.Right => {
  const from = below(4) === 1 ? below(6) * unit : undefined
  const until = below(3) === 1 ? below(8) * unit : undefined
  const hours = below(6) === 1 ? [pick(someHours)] : []
  return right(pick(capabilities), { depth: below(3), from, until, hours })
}

/** Any policy, seldom deeper than two. */
export const randomPolicy = (read: Reader, depth = 2): Policy.Policy => {
  const { below, pick } = read
  switch (below(depth === 0 ? 5 : 8)) {
    case 0:
      return { _tag: "Trust", level: pick(levels) }
    case 1:
      return { _tag: "Attested", count: 1 + below(2) }
    case 2:
      return { _tag: "Within", from: below(3) * unit, until: below(2) === 1 ? below(8) * unit : undefined }
    case 3:
      return { _tag: "Hours", hours: pick(someHours) }
    case 5:
      return Policy.any(...Array.from({ length: below(3) }, () => randomPolicy(read, depth - 1)))
    case 6:
      return Policy.all(...Array.from({ length: below(3) }, () => randomPolicy(read, depth - 1)))
    default:
      return Policy.make({
        capabilities: [pick(["kv:write", "kv:write/a", "device:admit"])],
        ...(below(2) === 1 ? { chainMax: below(3) } : {})
      })
  }
}

type Written = ReadonlyArray<AuthorityEntry>

const strangely = (read: Reader, position: Position): Position => {
  const strange = read.below(12)
  if (strange === 1) return { ...position, hash: hashOf(900_000) }
  return strange === 2 ? { ...position, seq: position.seq + 1 } : position
}

/** Half of them leave alone all there is, as a careful author's would; the others anything, made-up data included. */
const randomCut = (read: Reader, entries: Written, about: DeviceId): Cut => {
  const cut = new Map<FeedId, Position>()
  if (read.below(2) === 1) for (const entry of entries) cut.set(entry.feed.id, at(entry))
  const own = entries.filter((entry) => entry.feed.device === about)
  for (let count = read.below(3); count > 0; count--) {
    const entry = read.pick(own.length > 0 && read.below(4) > 0 ? own : entries)
    const position = strangely(read, at(entry))
    cut.set(position.feed, position)
  }
  if (read.below(3) === 1) cut.set(feedOf(about, 3).id, dataAt(about, read.below(3)))
  return [...cut.values()]
}

/** The entry that admitted or was granted, mostly; else any. */
const randomTarget = (read: Reader, entries: Written, tag: "Admit" | "Grant", device: DeviceId): AuthorityEntry => {
  const meant = entries.filter(({ facts }) => facts.some((one) => one._tag === tag && one.device === device))
  const all = tag === "Admit" && device === alice ? [entries[0]!] : meant
  return all.length === 0 || read.below(12) === 1 ? read.pick(entries) : read.pick(all)
}

const isLimit = (tag: string): boolean => ["Ungrant", "Refine", "SetPolicy", "Lower", "Report", "Revoke"].includes(tag)

const kinds = {
  admit: (read, _, device) => admit(device),
  grant: (read, _, device) => grant(device, randomRight(read)),
  grants: (read, _, device) => grant(device, randomRight(read), randomRight(read)),
  define: (read) => read.pick(definitions),
  revoke: (read, entries, device) =>
    revoke(device, randomTarget(read, entries, "Admit", device), ...randomCut(read, entries, device)),
  ungrant: (read, entries, device) =>
    ungrant(device, randomTarget(read, entries, "Grant", device), ...randomCut(read, entries, device)),
  refine: (read, entries, device) =>
    refine(
      device,
      randomTarget(read, entries, "Admit", device),
      read.pick(ceilings),
      ...randomCut(read, entries, device)
    ),
  refineGrant: (read, entries, device) =>
    refineGrant(
      device,
      randomTarget(read, entries, "Grant", device),
      read.pick(ceilings),
      ...randomCut(read, entries, device)
    ),
  lift: (read, entries) => {
    const places = entries.flatMap((entry) =>
      entry.facts.flatMap(({ _tag }, index) => (isLimit(_tag) ? [{ entry, index }] : []))
    )
    if (places.length === 0) return lift(read.pick(entries))
    const { entry, index } = read.pick(places)
    return lift(entry, read.below(12) === 1 ? index + 1 : index)
  },
  policy: (read, entries, device) =>
    setPolicy(
      read.pick(operations),
      read.below(8) === 1 ? undefined : randomPolicy(read, 1),
      ...randomCut(read, entries, device)
    ),
  relate: (read, _, device) => relate(device, read.pick(["High", "High", "Medium", "Low", "None"])),
  attest: (_read, _, device) => attest(device),
  lower: (read, entries, device) =>
    lower(device, randomTarget(read, entries, "Admit", device), read.pick(levels), ...randomCut(read, entries, device)),
  report: (read, entries, device) =>
    report(
      device,
      randomTarget(read, entries, "Admit", device),
      read.pick([...severities, "Severe"]),
      ...randomCut(read, entries, device)
    ),
  settle: (read, entries) => {
    const forked = entries.filter((a) =>
      entries.some((b) => b !== a && b.feed.id === a.feed.id && b.seq === a.seq && b.seq <= a.seq)
    )
    return settle(strangely(read, at(read.pick(forked.length === 0 || read.below(4) === 1 ? entries : forked))))
  },
  seal: (read, entries, device) => seal(...randomCut(read, entries, device))
} satisfies Record<string, (read: Reader, entries: Written, device: DeviceId) => Fact.AuthorityFact>

export type Kind = keyof typeof kinds

/** A fact of one of some kinds. */
export const randomFact = (read: Reader, entries: Written, some: ReadonlyArray<Kind>): Fact.AuthorityFact => {
  const device = read.pick(devices)
  return kinds[read.pick(some)](read, entries, device)
}

interface Theme {
  readonly kinds: ReadonlyArray<Kind>
  /** One entry in so many goes on behind any entry of its feed. */
  readonly forks: number
  /** What happens is mostly about Mallory, and said by those who have a voice. */
  readonly isAboutMallory?: boolean
  /** It begins with a chain from Alice through Bob and Carol to Mallory, of those who may do nothing else. */
  readonly isPassedOn?: boolean
}

const themes: ReadonlyArray<Theme> = [
  { kinds: ["revoke", "revoke", "revoke", "admit", "grant", "grants", "define"], forks: 6 },
  {
    kinds: ["ungrant", "ungrant", "refineGrant", "grant", "grant", "grants", "lift", "revoke"],
    forks: 12,
    isPassedOn: true
  },
  {
    kinds: ["refine", "refine", "refineGrant", "grant", "grants", "lift", "ungrant", "define"],
    forks: 12,
    isPassedOn: true
  },
  { kinds: ["policy", "policy", "policy", "grant", "lift", "relate", "revoke"], forks: 12 },
  {
    kinds: ["report", "report", "report", "report", "relate", "attest", "lower", "lift"],
    forks: 20,
    isAboutMallory: true
  },
  { kinds: ["attest", "attest", "relate", "relate", "lower", "lift", "revoke"], forks: 20 },
  { kinds: ["settle", "settle", "seal", "revoke", "grant", "ungrant", "admit"], forks: 3 },
  { kinds: Object.keys(kinds) as ReadonlyArray<Kind>, forks: 6 }
]

const authors = [alice, bob, carol, mallory, root, bob, carol]
const voices = [alice, bob, carol, root]

const begin = (read: Reader, theme: Theme) => {
  const sheet = paper()
  sheet.write(alice, [create], { time: 0 })
  const time = { time: unit }
  const isPassedOn = theme.isPassedOn === true && read.below(3) > 0
  const forBob = grant(bob, right(isPassedOn ? "kv:write" : "*", { depth: 2 }))
  const forCarol = right("kv:write", { depth: 1, from: 2 * unit, until: 4 * unit })
  if (isPassedOn) {
    sheet.write(alice, [admit(bob), forBob, admit(carol), admit(mallory)], time)
    sheet.write(bob, [grant(carol, right("kv:write", { depth: 1 }))], time)
    sheet.write(carol, [grant(mallory, right("kv:write"))], time)
  } else sheet.write(alice, [admit(bob), forBob, admit(carol), grant(carol, forCarol)], time)
  if (theme.kinds.includes("attest")) {
    const trusted = [relate(bob, "High"), relate(carol, "Medium"), relate(mallory, read.pick(["High", "Medium"]))]
    sheet.write(alice, [admit(mallory), ...trusted], time)
  }
  return sheet
}

const build = (genes: ReadonlyArray<Genes>): RandomSpace & { readonly [fc.toStringMethod]: () => string } => {
  const first = reader(genes[0]!)
  const theme = first.pick(themes)
  const sheet = begin(first, theme)
  const { entries } = sheet
  for (const gene of genes.slice(1)) {
    const read = reader(gene)
    const author = read.pick(theme.isAboutMallory === true ? voices : authors)
    const incarnation = read.below(5) === 1 ? 1 : 0
    const own = entries.filter((entry) => entry.feed.device === author)
    const after = own.length > 0 && read.below(theme.forks) === 1 ? read.pick([...own, "nothing" as const]) : undefined
    const seen = read.below(3) > 0 ? entries : entries.filter(() => read.below(2) === 1)
    const fact = () => {
      const device = theme.isAboutMallory === true && read.below(5) > 0 ? mallory : read.pick(devices)
      const kind = read.pick(theme.kinds)
      if (theme.isPassedOn === true && kind === "grant" && read.below(3) > 0)
        return grant(read.pick([bob, carol, mallory]), right("kv:write", { depth: read.below(4) }))
      return kinds[kind](read, entries, device)
    }
    const facts = [fact(), ...(read.below(2) === 1 ? [fact()] : [])]
    const time = (read.below(3) === 1 ? read.below(8) : Math.min(7, Math.floor(entries.length / 2))) * unit
    sheet.write(author, facts, { incarnation, seen: [...seen], time, ...(after === undefined ? {} : { after }) })
  }
  const proofs = new Map<FeedId, number>()
  if (first.below(5) === 1) {
    const { feed, seq } = first.pick(entries)
    proofs.set(feed.id, seq)
  }
  return { entries, proofs, [fc.toStringMethod]: () => drawn(entries, proofs) }
}

/** A space in a few lines, for people who look for what went wrong in it. */
const drawn = (entries: Written, proofs: RandomSpace["proofs"]): string => {
  const nameOf = new Map<string, string>([
    ...[...devices, dave].map(
      (device, index) => [device, ["alice", "bob", "carol", "mallory", "root", "dave"][index]!] as const
    ),
    ...entries.map(({ hash }, index) => [hash, `#${index}`] as const),
    ...devices.flatMap((device) =>
      [0, 1, 2, 3].map((number) => [feedOf(device, number).id, `${nameOf0(device)}${number}`] as const)
    )
  ])
  const said = (value: unknown): string =>
    JSON.stringify(value, (key, inner: unknown) =>
      ["box", "genesis", "bytes", "name", "reason", "definition"].includes(key)
        ? undefined
        : typeof inner === "string"
          ? (nameOf.get(inner) ?? inner)
          : inner
    )
  const lines = entries.map(
    ({ facts, feed, previousHash, seen, seq, time }, index) =>
      `#${index} ${nameOf.get(feed.id)}/${seq} after ${nameOf.get(previousHash) ?? "nothing"} at ${time / unit} saw ${seen.map(({ hash }) => nameOf.get(hash)).join()}: ${facts.map(said).join(" ")}`
  )
  return ["", ...lines, ...[...proofs].map(([feed, at]) => `${nameOf.get(feed)} proved forked at ${at}`), ""].join("\n")
}

const nameOf0 = (device: DeviceId): string => String.fromCharCode(Number.parseInt(device.slice(0, 2), 16))

/** Numbers of which none is more frequent than others. */
export const genesOf = (minLength: number, maxLength: number): fc.Arbitrary<Genes> =>
  fc.noBias(fc.array(fc.nat({ max: 4095 }), { minLength, maxLength }))

const gene = genesOf(16, 40)

/** Spaces of at most `entriesMax` entries. */
export const randomSpace = (entriesMax: number): fc.Arbitrary<RandomSpace> =>
  fc.noBias(fc.array(gene, { minLength: entriesMax - 5, maxLength: entriesMax - 2 })).map(build)

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
