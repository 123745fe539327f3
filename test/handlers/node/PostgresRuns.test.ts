/** Rows that runs share: what was put in comes out, and a row that somebody made up is damage by name, whatever it claims. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { hashAt, home, noise, phone, runOf } from "../../../src/conformance/JournalSample.ts"
import { JournalCorrupt, type StoredRun } from "../../../src/effects/JournalStore.ts"
import { runDigest, type Row } from "../../../src/handlers/node/JournalRows.ts"
import { packedRun, rowsOf, runsFrom } from "../../../src/handlers/node/PostgresRuns.ts"

const names = ["space", "feed", "first", "last", "previous", "hash", "plain_bytes", "bytes", "ends", "digest"]

const cellOf = (cell: Uint8Array | number) => (typeof cell === "number" ? cell : new Uint8Array(cell))

const rows = (runs: ReadonlyArray<StoredRun>): ReadonlyArray<Row> =>
  rowsOf(home, runs.map(packedRun)).map((row) =>
    Object.fromEntries(names.map((name, index) => [name, cellOf(row[index]!)]))
  )

const first = ({ first }: Row): number => Number(first)

const lengths = fc.constantFrom(1, 40, 8_191, 8_192, 30_000, 65_536)
const history = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3 }), lengths), { minLength: 1, maxLength: 12 })
  .map((shapes) => {
    let next = 4
    return shapes.map(([entries, length]) => {
      const begin = next
      next += entries
      return runOf(phone, begin, next - 1, noise(`${begin}`, length))
    })
  })

const small = [
  runOf(phone, 0, 0, noise("a", 10)),
  runOf(phone, 1, 4, noise("b", 20)),
  runOf(phone, 5, 5, noise("c", 30))
]

describe("a row of runs", () => {
  it("holds what was put into it, from any entry on", () =>
    fc.assert(
      fc.property(history, fc.nat(), (runs, at) => {
        const stored = rows(runs)
        assert.deepStrictEqual(
          stored.flatMap((row) => runsFrom(row, phone, first(row), undefined, "here")),
          runs
        )
        const wanted = runs[at % runs.length]!
        const row = stored.findLast((row) => first(row) <= wanted.last)!
        assert.deepStrictEqual(runsFrom(row, phone, wanted.last, undefined, "here")[0], wanted)
      })
    ))

  it("is shared by small runs that follow each other, and by no others", () => {
    assert.lengthOf(rows(small), 1)
    assert.lengthOf(rows([small[0]!, small[2]!]), 2)
    assert.lengthOf(rows([small[0]!, runOf(phone, 1, 1, noise("large", 8_192)), runOf(phone, 2, 2)]), 3)
    const many = Array.from({ length: 20 }, (_, seq) => runOf(phone, seq, seq, noise(`${seq}`, 8_000)))
    assert.lengthOf(rows(many), 3)
  })

  it("that somebody made up is refused or holds runs that follow each other", () => {
    const [good] = rows(small)
    const forged = fc.record({
      ends: fc.oneof(
        fc.uint8Array({ maxLength: 130 }),
        fc
          .tuple(fc.nat(79), fc.nat(255))
          .map(([at, value]) => Uint8Array.from(good!["ends"] as Uint8Array).fill(value, at, at + 1))
      ),
      plain_bytes: fc.oneof(fc.constant(60), fc.nat(200))
    })
    let [refused, taken] = [0, 0]
    fc.assert(
      fc.property(forged, ({ ends, plain_bytes: plain }) => {
        const bytes = good!["bytes"] as Uint8Array
        const run = { feed: phone, first: 0, last: 5, hash: hashAt(phone, 5) }
        const digest = runDigest(run, hashAt(phone, -1), plain === bytes.length ? null : plain, bytes, ends)
        try {
          const runs = runsFrom(
            { ...good!, ends: cellOf(ends), plain_bytes: plain, digest: cellOf(digest) },
            phone,
            0,
            undefined,
            "here"
          )
          assert.isTrue(
            runs.every(({ first, last }, index) => first === (runs[index - 1]?.last ?? -1) + 1 && first <= last)
          )
          assert.strictEqual(runs.at(-1)?.last, 5)
          taken++
        } catch (error) {
          if (!(error instanceof JournalCorrupt)) throw error
          assert.include(error.message, `feed ${phone}, entry 0`)
          refused++
        }
      }),
      { numRuns: 1_000 }
    )
    assert.isAbove(refused, 0)
    assert.isAbove(taken, 0)
  })
})
