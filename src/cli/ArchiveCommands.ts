/** Arguments and help of what moves journals and installations between stores: export, import, backup, restore. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as path from "node:path"
import type { Output } from "./Output.ts"
import { globals, simply } from "./Globals.ts"

export const exportJournal = (output: Output) =>
  Command.make(
    "export",
    { file: Argument.String("file").pipe(Argument.withDescription("Where to write it; - is stdout")) },
    Effect.fnUntraced(function* ({ file }) {
      const flags = yield* globals
      if (file !== "-")
        return yield* simply(output, { _tag: "JournalExport", file: path.resolve(file), space: flags.space ?? null })
      const { toStdout } = yield* Effect.promise(() => import("./export.ts"))
      return yield* toStdout(flags, output)
    })
  ).pipe(
    Command.withDescription(
      "Write all journals, or that of --space, to one file, with every signature: aura journal import reads it anywhere. Holds no keys; whoever has it can read the entries."
    )
  )

export const importJournal = (output: Output) =>
  Command.make(
    "import",
    { file: Argument.String("file").pipe(Argument.withDescription("What aura journal export or aura backup wrote")) },
    Effect.fnUntraced(function* ({ file }) {
      const { expectArchive } = yield* Effect.promise(() => import("./ArchiveFile.ts"))
      yield* expectArchive(path.resolve(file))
      yield* simply(output, { _tag: "JournalImport", file: path.resolve(file) })
    })
  ).pipe(
    Command.withDescription(
      "Join the entries of a file to what is here, each checked as if a stranger had brought it. Run it again to go on after an interruption."
    )
  )

export const backup = (output: Output) =>
  Command.make(
    "backup",
    {
      file: Argument.String("file").pipe(
        Argument.withDescription("Where to write it; replaced when the new one is whole")
      )
    },
    ({ file }) => simply(output, { _tag: "Backup", file: path.resolve(file) })
  ).pipe(
    Command.withDescription(
      "Write to one file what this installation needs to come back, also while it runs: all journals, its aura.toml with the known addresses, its secrets with the device key as sealed on disk, its certificates. Keep it as secret as the data directory. Not in it: blobs, the application, settings outside the directory, a passphrase; what was spent on peers in this hour, and the answers of the last day to operations with a key."
    )
  )

export const restore = (output: Output) =>
  Command.make(
    "restore",
    { file: Argument.String("file").pipe(Argument.withDescription("What aura backup wrote")) },
    Effect.fnUntraced(function* ({ file }) {
      const flags = yield* globals
      const { restore } = yield* Effect.promise(() => import("./restore.ts"))
      yield* restore(flags, output, path.resolve(file))
    })
  ).pipe(
    Command.withDescription(
      "Bring an installation back from its backup, into a directory that is empty or not there (--data). Everything is checked before it is placed. The device goes on in new feeds, so nothing forks; the old installation must not run again."
    )
  )
