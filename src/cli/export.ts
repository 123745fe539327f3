/** `aura journal export FILE`: all spaces of the directory, or one, as an archive (journal/Archive.ts). */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createReadStream } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { pipeline } from "node:stream/promises"
import { SpaceId } from "../identity/Id.ts"
import type { JournalStore } from "../effects/JournalStore.ts"
import { exportSpaces, isSealed } from "../runtime/Exporting.ts"
import * as ArchiveFile from "./ArchiveFile.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data, Output } from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as Run from "./Run.ts"
import type * as Settings from "./Settings.ts"
import { count } from "./Text.ts"

/** Progress is told this often, in entries. */
const progressEntries = 100_000

export const answer = Effect.fnUntraced(function* (
  { store }: Pick<Office, "store">,
  { file, space }: ErrandOf<"JournalExport">,
  voice: Voice
) {
  const spaces = yield* chosen(store, space)
  const draft = yield* ArchiveFile.write(file)
  const sealed = yield* isSealed(store, spaces)
  yield* draft.put({ _tag: "Head", holds: "journal", isSealed: sealed })
  const { root, ...totals } = yield* exportSpaces(store, spaces, draft.put, progress(voice, "written"), sealed)
  const bytes = yield* draft.place
  yield* voice.data({ file, bytes, ...totals, root: Buffer.from(root).toString("hex") })
})

const chosen = Effect.fnUntraced(function* (store: JournalStore["Service"], wanted: string | null) {
  const spaces = yield* journals(store)
  if (wanted === null) return spaces
  const found = spaces.filter((space) => space === wanted)
  if (Schema.is(SpaceId)(wanted) && found.length > 0) return found
  return yield* Problem.make("SpaceUnknown", {
    what: `this device is not in space ${wanted}`,
    allowed: spaces.join(", "),
    do: "name one: --space SPACE, or none for all"
  })
})

/** The spaces that say anything. */
export const journals = Effect.fnUntraced(function* (store: JournalStore["Service"]) {
  const feeds = yield* Effect.forEach(yield* store.spaces, (space) =>
    Effect.map(store.feeds(space), (found) => [space, found.length] as const)
  )
  return feeds.filter(([, found]) => found > 0).map(([space]) => space)
})

/** Tells now and then how many entries there were so far. */
export const progress = (voice: Voice, what: string) => {
  let told = 0
  return (entries: number): Effect.Effect<void> => {
    if (Math.floor(entries / progressEntries) <= told) return Effect.void
    told = Math.floor(entries / progressEntries)
    return voice.note(`${told * progressEntries} entries ${what} so far`)
  }
}

/** To stdout: by way of a file of our own, for the owner of the directory may be another process. */
export const toStdout = Effect.fnUntraced(function* (flags: Settings.Flags, output: Output) {
  if (output.isJson) {
    return yield* Problem.make("StdoutTaken", {
      what: "the export and what --json tells of it can't both go to stdout",
      do: "name a file, or leave --json out",
      isUsage: true
    })
  }
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(path.join(tmpdir(), "aura-export-"))),
    (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
  )
  const file = path.join(folder, "archive")
  const wanted = { _tag: "JournalExport", file, space: flags["space"] ?? null } as const
  yield* Run.pieces(flags, wanted, {
    data: (data) => Effect.sync(() => output.note(render({ ...data, file: "stdout" }))),
    note: (text) => Effect.sync(() => output.note(text))
  })
  yield* Effect.promise(() => pipeline(createReadStream(file), process.stdout, { end: false }))
}, Effect.scoped)

const Exported = Schema.Struct({
  file: Schema.String,
  bytes: Schema.Finite,
  spaces: Schema.Finite,
  feeds: Schema.Finite,
  runs: Schema.Finite,
  entries: Schema.Finite,
  root: Schema.String
})

export const render = (data: Data): string => {
  const { bytes, entries, feeds, file, root, runs, spaces } = Schema.decodeUnknownSync(Exported)(data)
  return `${count(entries, "entry", "entries")} in ${count(runs, "run")} of ${count(feeds, "feed")}, ${count(spaces, "space")}: ${bytes} bytes in ${file}\nroot ${root}`
}
