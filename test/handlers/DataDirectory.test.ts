/** A data directory is private, of a known format, and open in one process, however that process ends. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as DataDirectory from "../../src/handlers/node/DataDirectory.ts"

const inScratch = <A, E>(check: (scratch: string) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "aura-data-"))),
    check,
    (scratch) => Effect.sync(() => rmSync(scratch, { recursive: true }))
  )

const use = <A>(path: string, work: (directory: DataDirectory.DataDirectory) => A) =>
  Effect.scoped(Effect.map(DataDirectory.open(path), work))

const refusal = (path: string) => Effect.map(Effect.flip(use(path, () => undefined)), ({ reason }) => reason)

describe("DataDirectory", () => {
  it.effect("is created private at once, with its format, and opened again", () =>
    inScratch((scratch) =>
      Effect.gen(function* () {
        const path = join(scratch, "data")
        yield* use(path, (directory) => {
          assert.strictEqual(directory.path, path)
          assert.strictEqual(directory.file("journal"), join(path, "journal"))
          assert.strictEqual(statSync(path).mode & 0o777, 0o700)
          for (const name of ["format", "lock", "owner"])
            assert.strictEqual(statSync(join(path, name)).mode & 0o777, 0o600)
          assert.strictEqual(readFileSync(join(path, "format"), "utf8"), "aura data directory 1\n")
          writeFileSync(directory.file("journal"), "entries")
        })
        assert.isFalse(existsSync(join(path, "owner")))
        assert.strictEqual(yield* use(path, ({ file }) => readFileSync(file("journal"), "utf8")), "entries")
      })
    )
  )

  it.effect("hands out paths of plain names only", () =>
    inScratch((scratch) =>
      Effect.gen(function* () {
        for (const name of ["", ".", "..", "../other", "a/b", "/etc/passwd"]) {
          const exit = yield* Effect.exit(use(join(scratch, "data"), ({ file }) => file(name)))
          assert.isTrue(Exit.hasDies(exit), name)
        }
      })
    )
  )

  it.effect("is refused when others may enter, when it is a link, and when it is no directory", () =>
    inScratch((scratch) =>
      Effect.gen(function* () {
        const [real, link, file] = [join(scratch, "real"), join(scratch, "link"), join(scratch, "file")]
        mkdirSync(real, { mode: 0o700 })
        symlinkSync(real, link)
        writeFileSync(file, "")
        assert.strictEqual((yield* refusal(link))._tag, "DirectoryExposed")
        assert.strictEqual((yield* refusal(file))._tag, "DirectoryExposed")
        chmodSync(real, 0o750)
        const reason = yield* refusal(real)
        assert.strictEqual(reason._tag, "DirectoryExposed")
        assert.include(reason.message, "0750")
        assert.isFalse(existsSync(join(real, "lock")), "nothing was written")
      })
    )
  )

  it.effect("is not taken over from somebody else, but may hold a configuration before it is ours", () =>
    inScratch((scratch) =>
      Effect.gen(function* () {
        const [notes, configured] = [join(scratch, "notes"), join(scratch, "configured")]
        for (const path of [notes, configured]) mkdirSync(path, { mode: 0o700 })
        writeFileSync(join(notes, "diary.txt"), "")
        writeFileSync(join(configured, "aura.toml"), "")
        const reason = yield* refusal(notes)
        assert.strictEqual(reason._tag, "DataDirectoryForeign")
        assert.include(reason.message, "diary.txt")
        assert.isFalse(existsSync(join(notes, "format")))
        yield* use(configured, () => undefined)
      })
    )
  )

  it.effect("of a newer format is refused with both numbers, of no known format as foreign", () =>
    inScratch((scratch) =>
      Effect.gen(function* () {
        const path = join(scratch, "data")
        yield* use(path, () => undefined)
        writeFileSync(join(path, "format"), "aura data directory 7\n")
        assert.deepInclude(yield* refusal(path), { _tag: "DataDirectoryTooNew", where: path, found: 7, known: 1 })
        for (const text of ["", "aura data directory 0\n", "aura data directory 1", "x\naura data directory 1\n"]) {
          writeFileSync(join(path, "format"), text)
          assert.strictEqual((yield* refusal(path))._tag, "DataDirectoryForeign", JSON.stringify(text))
        }
      })
    )
  )

  it.effect("says when it can't be made", () =>
    inScratch((scratch) =>
      Effect.gen(function* () {
        const path = join(scratch, "a".repeat(300))
        assert.strictEqual((yield* refusal(path))._tag, "DirectoryUnavailable")
      })
    )
  )

  it.effect("is open once within a process too, and the first opener keeps it", () =>
    inScratch((scratch) =>
      Effect.gen(function* () {
        const path = join(scratch, "data")
        yield* DataDirectory.open(path, { controlSocket: "/run/aura.sock" })
        for (const opening of ["second", "third"]) {
          const reason = yield* refusal(path)
          assert.strictEqual(reason._tag, "DataDirectoryInUse", opening)
          assert.deepInclude(reason, { pid: Option.some(process.pid), controlSocket: Option.some("/run/aura.sock") })
        }
      }).pipe(Effect.scoped)
    )
  )
})

describe("DataDirectory between processes", () => {
  const script = join(import.meta.dirname, "dataDirectoryOwner.ts")

  const owner = (path: string) =>
    Effect.promise(async () => {
      const child = spawn(process.execPath, [script, path, "/run/aura.sock"], { stdio: ["pipe", "pipe", "inherit"] })
      await once(child.stdout, "data")
      return child
    })

  it.live("belongs to the process that has it, and to the next one as soon as that was killed", () =>
    inScratch((scratch) =>
      Effect.gen(function* () {
        const path = join(scratch, "data")
        for (let round = 0; round < 3; round++) {
          const child = yield* owner(path)
          const reason = yield* refusal(path)
          assert.strictEqual(reason._tag, "DataDirectoryInUse")
          assert.deepInclude(reason, {
            where: path,
            pid: Option.fromUndefinedOr(child.pid),
            controlSocket: Option.some("/run/aura.sock")
          })
          child.kill("SIGKILL")
          yield* Effect.promise(() => once(child, "exit"))
          assert.isTrue(existsSync(join(path, "owner")), "it had no time to tidy up")
          yield* use(path, () => {
            assert.include(readFileSync(join(path, "owner"), "utf8"), `"pid":${process.pid}`)
          })
        }
      })
    )
  )

  it.live("is free once its owner closed it", () =>
    inScratch((scratch) =>
      Effect.gen(function* () {
        const path = join(scratch, "data")
        const child = yield* owner(path)
        child.stdin.end()
        const [code] = yield* Effect.promise(() => once(child, "exit"))
        assert.strictEqual(code, 0)
        assert.isFalse(existsSync(join(path, "owner")))
        yield* use(path, () => undefined)
      })
    )
  )
})
