/**
 * Wrote `archive.json`, once: `node test/vectors/make-archive.ts > test/vectors/archive.json`.
 *
 * What is said of journal.json holds here: the vectors are the format, and are read only. A backup with a file in two
 * pieces, and one space with a feed of authority and one of data.
 */
import * as Archive from "../../src/journal/Archive.ts"
import * as Feed from "../../src/journal/Feed.ts"
import * as Run from "../../src/journal/Run.ts"
import { alice, body, bytesOf, header, hexOf, space, write } from "../journal/writing.ts"

const authority = Feed.encode(header({ kind: "authority" }))
const data = Feed.encode(header())
const feeds = [authority, data]
const runs = feeds.map((feed) => write(alice, feed, [body("milk"), body("bread")]))
const ends = runs.map((run) => ({ feed: run.feed, entries: 2, hash: Run.lastHash(run) }))
const totals = { spaces: 1, feeds: 2, runs: 2, entries: 4, root: Archive.rootOf(new Map([[space, ends]])) }

const items: ReadonlyArray<Archive.Item> = [
  { _tag: "Head", holds: "backup" },
  { _tag: "File", name: "secrets/secret-device-key.bin", from: 0, bytes: bytesOf("a").slice(0, 3) },
  { _tag: "File", name: "secrets/secret-device-key.bin", from: 3, bytes: bytesOf("b").slice(0, 2) },
  { _tag: "Space", space },
  { _tag: "Feed", header: authority.bytes, from: 0 },
  { _tag: "Run", bytes: runs[0]!.bytes },
  { _tag: "Feed", header: data.bytes, from: 0 },
  { _tag: "Run", bytes: runs[1]!.bytes },
  ...Archive.endsOf(ends),
  { _tag: "Total", ...totals }
]
const encode = Archive.writer()
const records = items.map((item) => hexOf(encode(item)))
process.stdout.write(
  `${JSON.stringify({ items: items.map(({ _tag }) => _tag), records, root: hexOf(totals.root) }, undefined, 2)}\n`
)
