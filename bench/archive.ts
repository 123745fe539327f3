/**
 * What it takes to move a large journal: `node bench/archive.ts [--entries 1000000]` makes one, exports it, imports it into
 * a fresh directory, with the command as people run it, each in a process of its own; prints one line of JSON.
 *
 * Entries are those of workload.ts, again and again: so the state stays at 20 000 values, and what is measured is the
 * journal. Memory is the most that a process had resident.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { Aura } from "../src/index.ts"
import { DataDirectory, NodeEffects } from "../src/server.ts"
import { app, root } from "./ours.ts"
import { writes } from "./workload.ts"

const { values } = parseArgs({ options: { entries: { type: "string", default: "1000000" } } })
const entries = Number(values.entries)
const together = 1024
const main = resolve(import.meta.dirname, "../src/cli/main.ts")
const memoryAtExit = `data:text/javascript,${encodeURIComponent('import { writeSync } from "node:fs"; process.on("exit", () => writeSync(2, `\\nmaxRSS ${process.resourceUsage().maxRSS}\\n`))')}`

const make = async (data: string): Promise<void> => {
  const effects = Layer.unwrap(Effect.map(DataDirectory.open(data), (home) => NodeEffects.layer(home)))
  const open = await Aura.open({ app, effects, found: { root } })
  for (let at = 0; at < entries; at += together) {
    const due = Array.from({ length: Math.min(together, entries - at) }, (_, i) => writes[(at + i) % writes.length]!)
    await Promise.all(due.map(({ key, value }) => open.perform("set", { key, value })))
  }
  await open.close()
}

const measured = (words: ReadonlyArray<string>) => {
  const begun = performance.now()
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--import", memoryAtExit, main, ...words, "--json"], {
    encoding: "utf8",
    maxBuffer: 2 ** 26
  })
  const seconds = (performance.now() - begun) / 1000
  if (status !== 0) throw new Error(`aura ${words.join(" ")}: ${stdout}${stderr}`)
  const maxMib = Number(/maxRSS (\d+)/u.exec(stderr)![1]) / 1024
  const answer = JSON.parse(stdout.split("\n")[0]!)
  return { seconds: Number(seconds.toFixed(1)), maxMib: Math.round(maxMib), answer }
}

const home = mkdtempSync(join(tmpdir(), "aura-bench-archive-"))
try {
  const [source, copy, file] = [join(home, "source"), join(home, "copy"), join(home, "archive")]
  const begun = performance.now()
  await make(source)
  const madeSeconds = Number(((performance.now() - begun) / 1000).toFixed(1))
  const exported = measured(["journal", "export", file, "--data", source])
  const imported = measured(["journal", "import", file, "--data", copy])
  const again = measured(["journal", "import", file, "--data", copy])
  const root = measured(["journal", "export", join(home, "again"), "--data", copy]).answer.root
  const part = ({ maxMib, seconds }: ReturnType<typeof measured>) => ({
    seconds,
    maxMib,
    entriesPerSecond: Math.round(entries / seconds)
  })
  const told = {
    entries: exported.answer.entries,
    madeSeconds,
    fileBytes: statSync(file).size,
    export: part(exported),
    import: part(imported),
    importAgain: part(again),
    stored: imported.answer.stored,
    isSame: root === exported.answer.root
  }
  process.stdout.write(`${JSON.stringify(told)}\n`)
} finally {
  rmSync(home, { recursive: true, force: true })
}
