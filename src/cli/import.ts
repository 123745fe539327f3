/**
 * `aura journal import FILE`: joins what an archive holds to the journals here, as if peers had brought it.
 *
 * The whole file is checked before anything of it is applied. Feeds of this very device are taken and never continued: a
 * feed that comes from elsewhere is one this device has lost. A second import goes on where a killed one stopped.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { importSpaces } from "../runtime/Importing.ts"
import { inspect, type Inspected, type Source } from "../runtime/Inspecting.ts"
import * as ArchiveFile from "./ArchiveFile.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import { progress } from "./export.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import type * as Problem from "./Problem.ts"
import { count, printable } from "./Text.ts"

export const answer = Effect.fnUntraced(function* (office: Office, { file }: ErrandOf<"JournalImport">, voice: Voice) {
  const source = ArchiveFile.source(file)
  const inspected = yield* inspect(source, office.verifier, progress(voice, "are good"))
  for (const one of yield* take(office, source, inspected, voice)) yield* voice.data({ file, ...one })
})

/** Joins what was inspected; tells of each space what became of it. */
export const take = Effect.fnUntraced(function* (
  office: Pick<Office, "agent">,
  source: Source<Problem.Problem>,
  { ends }: Inspected,
  voice: Voice
) {
  const agent = yield* office.agent
  const imported = yield* importSpaces(source, agent.adopt, progress(voice, "taken"))
  return imported.map(({ leftOut, space, stored }) => ({
    space,
    entries: (ends.get(space) ?? []).reduce((sum, end) => sum + end.entries, 0),
    stored,
    leftOut: [...leftOut].map(([why, runs]) => ({ why, runs }))
  }))
})

const Imported = Schema.Struct({
  space: Schema.String,
  entries: Schema.Finite,
  stored: Schema.Finite,
  leftOut: Schema.Array(Schema.Struct({ why: Schema.String, runs: Schema.Finite }))
})

export const render = (data: Data): string => {
  const { entries, leftOut, space, stored } = Schema.decodeUnknownSync(Imported)(data)
  return [
    `space ${space.slice(0, 10)}: ${count(entries, "entry", "entries")} in the file, ${stored} of them new here`,
    ...leftOut.map(({ runs, why }) => `  ${count(runs, "run")} left out: ${printable(why)}`)
  ].join("\n")
}
