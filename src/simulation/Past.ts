/** What entries of authority build on, as sets of hashes: for the oracle alone. */
import type { EntryHash, FeedId } from "../identity/Id.ts"
import type { AuthorityEntry } from "../trust/Authority.ts"

export type Hashes = ReadonlySet<EntryHash>

/** What an entry builds on directly. */
const namedBy = (entry: AuthorityEntry): ReadonlyArray<EntryHash> => {
  const seen = entry.seen.map(({ hash }) => hash)
  return entry.seq === 0 ? seen : [entry.previousHash, ...seen]
}

/** The entries whose whole past is among them. One whose time is not above all it names says nothing. */
export const closed = (all: Iterable<AuthorityEntry>): ReadonlyMap<EntryHash, AuthorityEntry> => {
  const entries = new Map<EntryHash, AuthorityEntry>()
  let rest = [...all]
  for (let before = -1; before !== rest.length;) {
    before = rest.length
    rest = rest.filter((entry) => {
      const isComplete = namedBy(entry).every((hash) => entries.has(hash))
      const isAbove = entry.seen.every(({ hash }) => (entries.get(hash)?.time ?? 0) < entry.time)
      if (isComplete) entries.set(entry.hash, isAbove ? entry : { ...entry, facts: [] })
      return !isComplete
    })
  }
  return entries
}

/** What lies in an entry's past. */
export const pastsOf = (entries: ReadonlyMap<EntryHash, AuthorityEntry>): ((of: EntryHash) => Hashes) => {
  const pasts = new Map<EntryHash, Hashes>()
  // an entry comes behind all that it names
  for (const entry of entries.values()) {
    const past = new Set<EntryHash>()
    for (const hash of namedBy(entry)) {
      past.add(hash)
      for (const further of pasts.get(hash)!) past.add(further)
    }
    pasts.set(entry.hash, past)
  }
  return (of) => pasts.get(of)!
}

/** The lowest position at which a feed has two entries. */
export const forksOf = (
  entries: Iterable<Pick<AuthorityEntry, "feed" | "hash" | "seq">>
): ReadonlyMap<FeedId, number> => {
  const first = new Map<string, EntryHash>()
  const forks = new Map<FeedId, number>()
  for (const { feed, hash, seq } of entries) {
    const known = first.get(`${feed.id} ${seq}`)
    if (known === undefined) first.set(`${feed.id} ${seq}`, hash)
    else if (known !== hash) forks.set(feed.id, Math.min(seq, forks.get(feed.id) ?? Infinity))
  }
  return forks
}
