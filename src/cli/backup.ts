/**
 * `aura backup FILE`: what an installation needs to come back, in one archive (journal/Archive.ts), while it works on.
 *
 * The journals of all spaces, what the data directory remembers (aura.toml), its secrets as they lie there, so that the device
 * key stays sealed as it is, and the certificates that addresses name. Not the tokens of runtime/Token.ts: what comes back
 * shall never pass for what was lost. Not what is at home elsewhere: blobs, the application, settings outside the directory.
 */
import * as Effect from "effect/Effect"
import * as fileSystem from "node:fs/promises"
import * as path from "node:path"
import { fileName as settingsName } from "../config/Reading.ts"
import * as NodeEffects from "../handlers/node/NodeEffects.ts"
import { codeOf } from "../handlers/node/PrivatePath.ts"
import * as Archive from "../journal/Archive.ts"
import { exportSpaces, isSealed } from "../runtime/Exporting.ts"
import * as ArchiveFile from "./ArchiveFile.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import { journals, progress } from "./export.ts"
import type { Office } from "./Office.ts"
import * as Problem from "./Problem.ts"

/** Directories of which a backup holds the files. */
const { authority, secrets } = NodeEffects.names

/** Whether a backup holds a file of this name; of what else one may name, nothing is restored. */
export const isKept = (name: string): boolean =>
  Archive.isFileName(name) &&
  (name === settingsName || name.startsWith(`${secrets}/`) || name.startsWith(`${authority}/`)) &&
  !name.startsWith(`${secrets}/secret-token.`)

export const answer = Effect.fnUntraced(function* (
  { home, store }: Pick<Office, "home" | "store">,
  { file }: ErrandOf<"Backup">,
  voice: Voice
) {
  const draft = yield* ArchiveFile.write(file)
  const sealed = yield* isSealed(store, yield* journals(store))
  yield* draft.put({ _tag: "Head", holds: "backup", isSealed: sealed })
  for (const name of yield* names(home.path)) yield* putFile(draft, home.path, name)
  const spaces = yield* journals(store)
  const { root, ...totals } = yield* exportSpaces(store, spaces, draft.put, progress(voice, "written"), sealed)
  const bytes = yield* draft.place
  yield* voice.data({ file, bytes, ...totals, root: Buffer.from(root).toString("hex") })
})

const names = (home: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const found = [settingsName]
    for (const child of [secrets, authority])
      found.push(
        ...(await fileSystem.readdir(path.join(home, child)).catch(() => [])).map((name) => `${child}/${name}`)
      )
    return found.filter(isKept).sort()
  })

/** Each file is replaced as a whole by who writes it, so what is read of it is one version. */
const putFile = Effect.fnUntraced(function* (draft: ArchiveFile.Draft, home: string, name: string) {
  const where = path.join(home, ...name.split("/"))
  const bytes = yield* Effect.tryPromise({
    try: () =>
      fileSystem
        .readFile(where)
        .catch((cause: unknown) => (codeOf(cause) === "ENOENT" ? undefined : Promise.reject(cause))),
    catch: (cause) =>
      Problem.make("BackupIncomplete", {
        what: `${where} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        where,
        do: "make it readable for who runs this; no backup was made"
      })
  })
  if (bytes === undefined) return
  for (let from = 0; from === 0 || from < bytes.length; from += Archive.pieceBytesMax) {
    const piece = new Uint8Array(bytes.subarray(from, from + Archive.pieceBytesMax))
    yield* draft.put({ _tag: "File", name, from, bytes: piece })
  }
})
