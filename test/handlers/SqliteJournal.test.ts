/** The SQLite journal keeps every law of journal stores; what only a file can do wrong is tested below them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fullJournalLaws, JournalPlace, journalPlaceLaws, journalStoreLaws } from "../../src/conformance/JournalStoreLaws.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "aura-journal-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)
const path = Effect.map(directory, (path) => join(path, "journal.db"))

describe("SqliteJournal", () => {
  for (const { name, check } of journalStoreLaws) {
    it.effect(name, () => Effect.scoped(Effect.flatMap(path, (path) => Effect.provide(check, SqliteJournal.layer({ path })))))
  }

  for (const { name, check } of journalPlaceLaws) {
    it.effect(name, () =>
      Effect.scoped(
        Effect.flatMap(path, (path) =>
          Effect.provide(check, Layer.succeed(JournalPlace, { open: SqliteJournal.make({ path }) }))
        )
      )
    )
  }

  for (const { name, check } of fullJournalLaws) {
    it.effect(name, () =>
      Effect.scoped(
        Effect.flatMap(path, (path) => Effect.provide(check, SqliteJournal.layer({ path, limitBytes: 512 * 1024 })))
      )
    )
  }
})
