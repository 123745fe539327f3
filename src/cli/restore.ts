/**
 * `aura restore FILE`: an installation comes back from its backup, into a directory that is not there yet or empty.
 *
 * The whole file is checked first. It is put together beside its place: files as they were, then the journals through the
 * same door as everything that peers bring, and moved there when all of it is good. Feeds of this device come from elsewhere
 * then, so none of them is continued: what others have seen of them may be missing here. The next write opens a new feed.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { randomBytes } from "node:crypto"
import * as fileSystem from "node:fs/promises"
import * as path from "node:path"
import * as NodeVerifier from "../handlers/node/NodeVerifier.ts"
import { codeOf, syncDirectory } from "../handlers/node/PrivatePath.ts"
import { Verifier } from "../effects/Verifier.ts"
import { short, type SpaceId } from "../identity/Id.ts"
import type * as Archive from "../journal/Archive.ts"
import { inspect, type Inspected } from "../runtime/Inspecting.ts"
import * as Token from "../runtime/Token.ts"
import * as ArchiveFile from "./ArchiveFile.ts"
import { isKept } from "./backup.ts"
import type { Voice } from "./Control.ts"
import { answer as errandsAnswer } from "./Errands.ts"
import { progress } from "./export.ts"
import * as Home from "./Home.ts"
import { take } from "./import.ts"
import * as Office from "./Office.ts"
import type { Output } from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as Run from "./Run.ts"
import type * as Settings from "./Settings.ts"
import { count } from "./Text.ts"

export const restore = (flags: Settings.Flags, output: Output, file: string): Effect.Effect<void, Problem.Problem> =>
  Effect.gen(function* () {
    const voice: Voice = {
      data: (data) => Effect.sync(() => output.data(data, render(data))),
      note: (text) => Effect.sync(() => output.note(text))
    }
    const { data } = yield* Run.settingsOf(flags)
    yield* expectEmpty(data)
    const source = ArchiveFile.source(file)
    const inspected = yield* Effect.flatMap(Verifier, (verifier) =>
      inspect(source, verifier, progress(voice, "are good"))
    ).pipe(Effect.provide(NodeVerifier.layer))
    yield* expectBackup(file, inspected)
    const staging = yield* Effect.acquireRelease(
      Effect.sync(() => `${data}.restoring-${randomBytes(4).toString("hex")}`),
      (made) => Effect.promise(() => fileSystem.rm(made, { recursive: true, force: true }).catch(() => undefined))
    )
    const restored = yield* Effect.scoped(fill(staging, flags, source, inspected, voice))
    yield* place(staging, data)
    yield* voice.data({ data, ...restored })
  }).pipe(Effect.scoped, Effect.mapError(Problem.fromError), Run.stoppable)

const expectEmpty = Effect.fnUntraced(function* (directory: string) {
  const names = yield* Effect.promise(() =>
    fileSystem.readdir(directory).catch((cause: unknown) => (codeOf(cause) === "ENOENT" ? [] : ["what can't be read"]))
  )
  if (names.length === 0) return
  return yield* Problem.make("RestoreTaken", {
    what: `${directory} is not empty: it holds ${names[0]}`,
    where: directory,
    allowed: "a directory that is empty or does not exist",
    do: "move it away, or name another with --data; nothing was changed"
  })
})

const expectBackup = Effect.fnUntraced(function* (where: string, { holds }: Inspected) {
  if (holds === "backup") return
  return yield* Problem.make("NoBackup", {
    what: `${where} is an export: it holds journals, and no installation`,
    where,
    allowed: "a file that aura backup wrote",
    do: "bring its entries into an installation: aura journal import FILE"
  })
})

/** Pieces come in order, as was checked. */
const putFile = (staging: string, where: string, { bytes, from, name }: Archive.Item & { readonly _tag: "File" }) =>
  isKept(name)
    ? Effect.tryPromise({
        try: async () => {
          const target = path.join(staging, ...name.split("/"))
          await fileSystem.mkdir(path.dirname(target), { recursive: true, mode: 0o700 })
          const handle = await fileSystem.open(target, from === 0 ? "wx" : "a", 0o600)
          try {
            await handle.writeFile(bytes)
            await handle.sync()
          } finally {
            await handle.close()
          }
        },
        catch: (cause) => unplaced(staging, cause)
      })
    : Problem.make("BackupForeign", {
        what: `the backup names a file that none has: ${name}`,
        where,
        do: "take a backup that aura made; nothing was restored"
      })

/** The journals, by way of an installation that nobody knows of yet. */
const fill = Effect.fnUntraced(function* (
  staging: string,
  flags: Settings.Flags,
  source: ReturnType<typeof ArchiveFile.source>,
  inspected: Inspected,
  voice: Voice
) {
  const home = yield* Home.open(staging, true)
  yield* source.read((item) => (item._tag === "File" ? putFile(staging, source.where, item) : Effect.void))
  const settings = yield* Run.settingsOf({ ...flags, data: staging })
  const office = yield* Office.open(settings, home, { answer: errandsAnswer })
  const spaces = yield* take(office, source, inspected, voice)
  for (const { space } of spaces) yield* expectGivenUp(office, space)
  return { device: office.keys.device, spaces }
})

/** Never fork: no feed of this device may be one that it would go on with. */
const expectGivenUp = Effect.fnUntraced(function* (office: Office.Office, space: SpaceId) {
  const agent = yield* office.agent
  const givenUp = yield* Token.abandonedFeeds(office.store, space)
  for (const { feed } of agent.replica(space)!.ledger().lines.values())
    if (feed.device === office.keys.device && !givenUp.has(feed.id))
      return yield* Effect.die(new Error(`feed ${short(feed.id)} of a restored device would be continued`))
})

const place = (staging: string, data: string): Effect.Effect<void, Problem.Problem> =>
  Effect.tryPromise({
    try: async () => {
      await fileSystem
        .rmdir(data)
        .catch((cause: unknown) => (codeOf(cause) === "ENOENT" ? undefined : Promise.reject(cause)))
      await fileSystem.rename(staging, data)
      await syncDirectory(fileSystem, path.dirname(data))
    },
    catch: (cause) => unplaced(data, cause)
  })

const unplaced = (where: string, cause: unknown): Problem.Problem =>
  Problem.make("RestoreUnwritable", {
    what: `${where} can't be written: ${cause instanceof Error ? cause.message : String(cause)}`,
    where,
    do: "make its parent directory writable, with room, or name another with --data; nothing was restored"
  })

const Restored = Schema.Struct({
  data: Schema.String,
  device: Schema.String,
  spaces: Schema.Array(Schema.Struct({ entries: Schema.Finite }))
})

const render = (restored: unknown): string => {
  const { data, device, spaces } = Schema.decodeUnknownSync(Restored)(restored)
  const entries = spaces.reduce((sum, space) => sum + space.entries, 0)
  return [
    `device ${device.slice(0, 10)} is back in ${data}: ${count(entries, "entry", "entries")} in ${count(spaces.length, "space")}`,
    'it goes on in new feeds; "aura sync" brings what it wrote after the backup and others have'
  ].join("\n")
}
