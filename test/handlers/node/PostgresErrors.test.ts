/** What the words of a PostgreSQL server mean for a journal: each class of SQLSTATE, and what is tried again by itself. */
import { assert, describe, it } from "@effect/vitest"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import { errorOf, isLost, isPassing, type Place } from "../../../src/handlers/node/PostgresSession.ts"

const saying = (code: string): SqlError => {
  const cause = Object.assign(new Error(`the server says ${code} of pass@word`), { code })
  return new SqlError({ reason: new UnknownError({ cause, message: cause.message }) })
}

const place = { where: "the database here", password: "pass@word" } as unknown as Place

describe("what a PostgreSQL server says", () => {
  for (const [code, what, tag, words, lost, passing] of [
    ["57P01", "an administrator ended the session", "JournalUnavailable", "shutting down or starting", true, false],
    ["57P02", "the server crashed", "JournalUnavailable", "shutting down or starting", true, false],
    ["57P03", "the server is not ready yet", "JournalUnavailable", "shutting down or starting", true, false],
    ["08006", "the connection failed", "JournalUnavailable", "", true, false],
    ["40P01", "a deadlock, of which this was the victim", "JournalUnavailable", "", false, true],
    ["40001", "it could not be serialized", "JournalUnavailable", "", false, true],
    ["53100", "the disk is full", "JournalFull", "", false, false],
    ["53300", "too many connections", "JournalUnavailable", "lower poolMax", false, false],
    ["28P01", "a wrong password", "JournalUnavailable", "refuses the role or its password", false, false],
    ["25006", "a replica", "JournalUnavailable", "name the primary", false, false],
    ["42P01", "a table is gone", "JournalCorrupt", "", false, false]
  ] as const) {
    it(`${code}: ${what}`, () => {
      const { reason } = errorOf(place, saying(code))
      assert.strictEqual(reason._tag, tag, reason.message)
      assert.include(reason.message, words)
      assert.notInclude(reason.message, "pass@word")
      assert.strictEqual(isLost(saying(code)), lost, "the session is gone, and what was under way unknown")
      assert.strictEqual(isPassing(saying(code)), passing, "tried again by itself")
    })
  }
})
