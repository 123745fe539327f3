/**
 * Archives (journal/Archive.ts) as files: written beside their place and put there whole and durable, or not at all; read as
 * often as they are needed, a megabyte at a time.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import * as fileSystem from "node:fs/promises"
import * as path from "node:path"
import { codeOf, syncDirectory } from "../handlers/node/PrivatePath.ts"
import * as Archive from "../journal/Archive.ts"
import { ArchiveBroken, ArchiveTooNew, type ArchiveFault, type Source } from "../runtime/Inspecting.ts"
import * as Problem from "./Problem.ts"

const chunkBytes = 1024 * 1024

/** A file in the making. */
export interface Draft {
  readonly put: (item: Archive.Item) => Effect.Effect<void, Problem.Problem>
  /** Makes it durable and puts it in its place; returns its bytes. Without this nothing is left of it. */
  readonly place: Effect.Effect<number, Problem.Problem>
}

/** Begins a file that takes the place of `file` (absolute) when it is done. Nobody but its owner may read it. */
export const write = Effect.fnUntraced(function* (file: string): Effect.fn.Return<Draft, Problem.Problem, Scope.Scope> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString("hex")}.tmp`)
  const handle = yield* Effect.acquireRelease(
    attempt("ArchiveUnwritable", file, () => fileSystem.open(temporary, "wx", 0o600)),
    (opened) =>
      Effect.promise(async () => {
        await opened.close().catch(() => undefined)
        await fileSystem.rm(temporary, { force: true }).catch(() => undefined)
      })
  )
  const encode = Archive.writer()
  let waiting: Array<Uint8Array> = []
  let [waitingBytes, bytes] = [0, 0]

  const flush = async (): Promise<void> => {
    const due = Buffer.concat(waiting)
    waiting = []
    waitingBytes = 0
    for (let at = 0; at < due.length;) at += (await handle.write(due, at)).bytesWritten
  }
  return {
    put: (item) =>
      Effect.suspend(() => {
        const record = encode(item)
        waiting.push(record)
        waitingBytes += record.length
        bytes += record.length
        return waitingBytes < chunkBytes ? Effect.void : attempt("ArchiveUnwritable", file, flush)
      }),
    place: Effect.uninterruptible(
      attempt("ArchiveUnwritable", file, async () => {
        await flush()
        await handle.sync()
        await fileSystem.rename(temporary, file)
        await syncDirectory(fileSystem, path.dirname(file))
        return bytes
      })
    )
  }
})

/** The archive in `file` (absolute). */
export const source = (file: string): Source<Problem.Problem> => ({
  where: file,
  read: (use) =>
    Effect.scoped(
      Effect.gen(function* () {
        const handle = yield* opened(file)
        const reader = Archive.reader()
        const chunk = Buffer.allocUnsafe(chunkBytes)
        for (;;) {
          const { bytesRead } = yield* attempt("ArchiveUnreadable", file, () => handle.read(chunk, 0, chunkBytes))
          if (bytesRead === 0) break
          for (const item of yield* expected(file, reader.take(new Uint8Array(chunk.subarray(0, bytesRead)))))
            yield* use(item)
        }
        yield* expected(file, reader.end())
      })
    )
})

/** Whether the file begins like an archive of a version that is read: known before anything is made for it. */
export const expectArchive = (file: string): Effect.Effect<void, Problem.Problem> =>
  Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* opened(file)
      const reader = Archive.reader()
      const bytes = Buffer.alloc(headBytes)
      const { bytesRead } = yield* attempt("ArchiveUnreadable", file, () => handle.read(bytes, 0, headBytes))
      const begun = reader.take(new Uint8Array(bytes.subarray(0, bytesRead)))
      if (Result.isSuccess(begun) && begun.success.length === 0) yield* expected(file, reader.end())
      yield* expected(file, begun)
    })
  ).pipe(Effect.mapError(Problem.fromError))

/** More than any first record has, of whatever version. */
const headBytes = 4096

const opened = (file: string) =>
  Effect.acquireRelease(
    attempt("ArchiveUnreadable", file, () => fileSystem.open(file, "r")),
    (handle) => Effect.promise(() => handle.close().catch(() => undefined))
  )

const expected = <A>(
  where: string,
  result: Result.Result<A, Archive.ArchiveMalformed | Archive.ArchiveLater>
): Effect.Effect<A, ArchiveFault> => {
  if (Result.isSuccess(result)) return Effect.succeed(result.success)
  const { failure } = result
  return failure._tag === "ArchiveLater"
    ? Effect.fail(new ArchiveTooNew({ where, found: failure.found, known: Archive.version }))
    : Effect.fail(new ArchiveBroken({ where, offset: failure.offset, what: failure.what }))
}

/** What the operating system refuses is the person's to mend. */
const attempt = <A>(
  code: "ArchiveUnreadable" | "ArchiveUnwritable",
  where: string,
  work: () => Promise<A>
): Effect.Effect<A, Problem.Problem> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => {
      if (!(cause instanceof Error) || codeOf(cause) === undefined) throw cause
      return Problem.make(code, {
        what: `${where}: ${cause.message}`,
        where,
        do:
          code === "ArchiveUnreadable"
            ? "name a file that is there and can be read"
            : "name a file in a directory that is there, can be written to and has room; what was there stands"
      })
    }
  })
