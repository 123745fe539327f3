/**
 * What opening a space costs as its history grows, with a seal and without: `node bench/sealed-open.ts [--entries N]... [--rounds N]`.
 *
 * Of each length a journal is made whose entries set the same 10 000 keys again and again, so that the state stays as large
 * as it is; it is copied, the copy is sealed and pruned, and both get 100 entries more. Opened by fresh processes that take
 * turns, each until every value was read: from the checkpoint, and with the checkpoint taken away, which is all that a
 * replica has after a late restriction, or when its secrets were lost. Beside them Yjs opens the snapshot of a document with the
 * same history: one file, of which nothing is verified. One line of JSON for each length; times are medians in milliseconds.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Y from "yjs"
import * as Ours from "./ours.ts"
import type { Replica } from "./question.ts"
import { writes } from "./workload.ts"

const keysCount = 10_000
const moreCount = 100
const together = 1024

const { values: options } = parseArgs({
  options: {
    entries: { type: "string", multiple: true, default: ["10000", "100000", "1000000"] },
    rounds: { type: "string", default: "5" },
    open: { type: "string" },
    in: { type: "string" }
  }
})

const keys = writes.slice(0, keysCount)
const writeAt = (index: number) => ({ ...keys[index % keysCount]!, value: writes[index % writes.length]!.value })

const fillYjs = (file: string, entries: number): void => {
  const document = new Y.Doc()
  const map = document.getMap<string>("entries")
  for (let at = 0; at < entries + moreCount; at += together)
    document.transact(() => {
      for (let index = at; index < Math.min(at + together, entries + moreCount); index++) {
        const { key, value } = writeAt(index)
        map.set(key, value)
      }
    })
  writeFileSync(file, Y.encodeStateAsUpdate(document))
}

const openYjs = (file: string): Replica => {
  const document = new Y.Doc()
  Y.applyUpdate(document, readFileSync(file))
  const map = document.getMap<string>("entries")
  return { read: (key) => map.get(key), size: () => map.size, close: () => document.destroy() }
}

/** Milliseconds in this process until every value was read. */
const measure = async (how: string, directory: string): Promise<number> => {
  const begun = performance.now()
  const replica =
    how === "yjs"
      ? openYjs(join(directory, "yjs"))
      : await Ours.store({ checkpoint: how.endsWith("checkpoint") }).open(join(directory, how.split(" ")[0]!))
  for (const { key } of keys) if (replica.read(key) === undefined) throw new Error(`${key} is missing`)
  const millis = performance.now() - begun
  await replica.close()
  return millis
}

const ways = ["sealed checkpoint", "whole checkpoint", "sealed fold", "whole fold", "yjs"] as const

const measured = (directory: string, how: string): number => {
  const words = ["--expose-gc", import.meta.filename, "--open", how, "--in", directory]
  const { status, stderr, stdout } = spawnSync(process.execPath, words, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${how}: ${stderr}`)
  return Number(stdout)
}

const median = (numbers: ReadonlyArray<number>): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!

const ask = async (entries: number): Promise<object> => {
  const home = mkdtempSync(join(tmpdir(), "aura-bench-sealed-"))
  try {
    const [whole, sealed] = [join(home, "whole"), join(home, "sealed")]
    mkdirSync(whole, { mode: 0o700 })
    const batchesOf = function* (from: number, count: number) {
      for (let at = 0; at < count; at += together)
        yield Array.from({ length: Math.min(together, count - at) }, (_, i) => writeAt(from + at + i))
    }
    await Ours.append(whole, batchesOf(0, entries))
    cpSync(whole, sealed, { recursive: true })
    const begun = performance.now()
    await Ours.seal(sealed)
    const sealMillis = performance.now() - begun
    for (const directory of [whole, sealed]) await Ours.append(directory, batchesOf(entries, moreCount))
    fillYjs(join(home, "yjs"), entries)
    const found = new Map<string, Array<number>>(ways.map((how) => [how, []]))
    for (let round = 0; round < Number(options.rounds); round++)
      for (const how of ways) found.get(how)!.push(measured(home, how))
    const millis = Object.fromEntries([...found].map(([how, all]) => [how, Number(median(all).toFixed(1))]))
    const bytes = (path: string) => statSync(join(home, path)).size
    return {
      entries,
      millis,
      sealMillis: Math.round(sealMillis),
      foldRatio: Number((millis["whole fold"]! / millis["sealed fold"]!).toFixed(1)),
      besideYjs: Number((millis["yjs"]! / millis["sealed checkpoint"]!).toFixed(2)),
      bytes: { whole: bytes("whole/journal"), sealed: bytes("sealed/journal"), yjs: bytes("yjs") }
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

if (options.open !== undefined) process.stdout.write(String(await measure(options.open, options.in!)))
else for (const entries of options.entries) process.stdout.write(`${JSON.stringify(await ask(Number(entries)))}\n`)
