/** URLs of databases: which are whole, which are meant for us, and which nobody on the way can listen in on. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { isOurs, isSafe, JournalUrl } from "../../src/config/JournalUrl.ts"

describe("the URL of a database", () => {
  it.each<readonly [url: string, isWhole: boolean, isForUs: boolean, isSafeThen: boolean]>([
    ["postgres://alice:x@db.example.org:5432/aura?sslmode=verify-full", true, true, true],
    ["postgresql://db/aura?sslmode=verify-full", true, true, true],
    ["POSTGRES://db/aura", true, true, false],
    ["postgres://db/aura?sslmode=verify-ca", true, true, false],
    ["postgres://db/aura?sslmode=sometimes", false, true, false],
    ["postgres://db/aura?sslmode=verify-full&sslrootcert=/ca&sslcert=/cert&sslkey=/key", true, true, true],
    ["postgres://db/aura?sslmode=verify-full&sslrootcert=/ca", true, true, true],
    ["postgres://db/aura?sslmode=verify-full&sslcert=/cert", false, true, false],
    ["postgres://db/aura?sslmode=verify-full&sslkey=/key", false, true, false],
    ["postgres://db/aura?sslmode=prefer&sslrootcert=/ca", false, true, false],
    ["postgres://db/aura?sslrootcert=/ca", false, true, false],
    ["postgres://localhost/aura", true, true, true],
    ["postgres://[::1]/aura", true, true, true],
    ["postgres:///aura?host=/run/postgresql", true, true, true],
    ["postgres://localhost/aura?host=db.example.org", true, true, false],
    ["postgres://db/aura?sslmode=verify-full&sslmode=disable", true, true, false],
    ["postgres://db/aura?host=localhost&host=db.example.org", true, true, false],
    ["postgres://localhost?dbname=aura", true, true, true],
    ["postgres:///aura", false, true, false],
    ["postgres://db", false, true, false],
    ["postgres://db/", false, true, false],
    ["postgres://db:port/aura", false, true, false],
    ["mysql://db/aura", false, false, false],
    ["db/aura", false, false, false],
    ["", false, false, false]
  ])("%s", (url, isWhole, isForUs, isSafeThen) => {
    assert.deepStrictEqual([Schema.is(JournalUrl)(url), isOurs(url)], [isWhole, isForUs])
    if (isWhole) assert.strictEqual(isSafe(url), isSafeThen)
  })
})
