/**
 * The example `notes` and its replay of editing traces: what a trace is, who has to have seen what, how positions are
 * counted, and a small trace played for real, with a server, devices and stores of their own. `trace.json` has three
 * authors, one of them concurrent with himself, characters beyond U+FFFF, and two authors inserting at one place at once.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { gzipSync } from "node:zlib"
import * as CodePoints from "../../examples/notes/replay/CodePoints.ts"
import * as Plan from "../../examples/notes/replay/Plan.ts"
import * as Rehearsal from "../../examples/notes/replay/Rehearsal.ts"
import * as Trace from "../../examples/notes/replay/Trace.ts"
import { mergedText } from "./mergedText.ts"

const root = resolve(import.meta.dirname, "../..")
const traceFile = join(import.meta.dirname, "trace.json")
const trace = Result.getOrThrow(Trace.decode(JSON.parse(readFileSync(traceFile, "utf8")), "trace.json"))

const inDirectory = async <A>(work: (directory: string) => Promise<A>): Promise<A> => {
  const directory = mkdtempSync(join(tmpdir(), "aura-notes-"))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

describe("a trace", () => {
  const typed = { parents: [0], agent: 1, patches: [[1, 1, "b"]] }
  const concurrent = {
    kind: "concurrent",
    endContent: "ab",
    numAgents: 2,
    txns: [{ parents: [], agent: 0, patches: [[0, 0, "aa"]] }, typed]
  }

  it("is read in the form of one author: what was there at first is his first transaction", () => {
    const data = { startContent: "ab", endContent: "b", txns: [{ time: "", patches: [[0, 1, ""]] }] }
    assert.deepStrictEqual(
      Trace.decode(data, "f"),
      Result.succeed({
        form: "sequential",
        added: 1,
        end: "b",
        transactions: [
          { author: 0, parents: [], patches: [{ at: 0, remove: 0, insert: "ab" }] },
          { author: 0, parents: [0], patches: [{ at: 0, remove: 1, insert: "" }] }
        ]
      })
    )
  })

  it("is read gzipped or plain", () =>
    inDirectory(async (directory) => {
      const bytes = readFileSync(traceFile)
      writeFileSync(join(directory, "t.json.gz"), gzipSync(bytes))
      assert.deepStrictEqual(await Effect.runPromise(Trace.read(join(directory, "t.json.gz"))), trace)
      writeFileSync(join(directory, "no.json"), "{")
      const error = await Effect.runPromise(Effect.flip(Trace.read(join(directory, "no.json"))))
      assert.strictEqual(error._tag, "TraceUnreadable")
    }))

  const refused: ReadonlyArray<readonly [name: string, data: unknown, where: string]> = [
    ["something else", [], "f"],
    ["without an end", { startContent: "", txns: [] }, "f, endContent"],
    [
      "with a position that is none",
      { ...concurrent, txns: [{ parents: [], agent: 0, patches: [[-1, 0, ""]] }] },
      "f, txns[0].patches[0][0]"
    ],
    ["with an agent too many", { ...concurrent, numAgents: 1 }, "f, txns[1]"],
    ["with a parent that comes later", { ...concurrent, txns: [typed] }, "f, txns[0].parents"],
    [
      "with half a character",
      { ...concurrent, txns: [{ ...typed, agent: 0, parents: [], patches: [[0, 0, "\ud83d"]] }] },
      "f, txns[0].patches"
    ]
  ]
  for (const [name, data, where] of refused) {
    it(`${name} is refused, with the place and what is allowed there`, () => {
      const error = Result.getOrThrow(Result.flip(Trace.decode(data, "f")))
      assert.strictEqual(error.where, where)
      assert.notStrictEqual(error.allowed, "")
    })
  }

  it("made for this test ends as the plainest reading of it does", () => {
    assert.strictEqual(mergedText(trace), trace.end)
  })
})

describe("a plan", () => {
  const plan = Plan.make(trace)

  it("gives an author who was concurrent with himself a device for each branch", () => {
    assert.deepStrictEqual(plan.devices.map(({ author }) => author).sort(), [0, 1, 1, 2])
  })

  it("has every transaction typed where exactly its parents' past is", () => {
    const pasts: Array<ReadonlySet<number>> = []
    for (const { parents } of trace.transactions) {
      pasts.push(new Set(parents.flatMap((parent) => [parent, ...pasts[parent]!])))
    }
    const held = plan.devices.map(() => new Set<number>())
    const made = new Set<number>()
    for (const { device, from, needs, to } of plan.steps) {
      for (const [other, count] of needs ?? []) {
        for (const number of plan.devices[other]!.transactions.slice(0, count)) {
          assert.isTrue(made.has(number), "it was made before it is needed")
          held[device]!.add(number)
        }
      }
      for (const number of plan.devices[device]!.transactions.slice(from, to)) {
        assert.deepStrictEqual([...held[device]!].sort(), [...pasts[number]!].sort())
        held[device]!.add(number)
        made.add(number)
      }
    }
    assert.strictEqual(made.size, trace.transactions.length)
  })

  it("ends a step wherever another device stands on just that much", () => {
    const ends = plan.devices.map((_, device) =>
      plan.steps.filter((step) => step.device === device && step.isCut).map(({ to }) => to)
    )
    for (const { device, needs } of plan.steps) {
      for (const [other, count] of needs ?? []) if (other !== device) assert.include(ends[other]!, count)
    }
  })
})

describe("a rehearsal", () => {
  it("finds whose text goes first where two insert at one place at once", () => {
    const plan = Plan.make(trace)
    const order = Rehearsal.order(trace, plan)
    assert.strictEqual(Rehearsal.play(trace, plan, order), trace.end)
    assert.notStrictEqual(Rehearsal.play(trace, plan, order.toReversed()), trace.end)
  })
})

describe("code points", () => {
  it("stand where they stand in UTF-16, whatever was edited", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "\u00e9", "\u5929", "\u{1f600}"), maxLength: 4 })
    const edit = fc.record({ at: fc.nat(20), remove: fc.nat(3), insert: text })
    fc.assert(
      fc.property(text, fc.array(edit, { maxLength: 12 }), (start, edits) => {
        const plain = [...start]
        let units = start
        const index = CodePoints.of(start)
        for (const { at: anywhere, insert, remove: much } of edits) {
          const at = anywhere % (plain.length + 1)
          const remove = Math.min(much, plain.length - at)
          plain.splice(at, remove, ...insert)
          const patch = CodePoints.toUnits(index, { at, remove, insert })
          units = units.slice(0, patch.at) + patch.insert + units.slice(patch.at + patch.remove)
          assert.strictEqual(units, plain.join(""))
          assert.deepStrictEqual(index, CodePoints.of(units))
        }
      })
    )
  })
})

describe("npm run replay", () => {
  const run = (...words: ReadonlyArray<string>): Promise<{ readonly code: number | null; readonly said: string }> =>
    new Promise((done) => {
      const child = spawn(
        process.execPath,
        ["--conditions=aura-source", "examples/notes/replay.ts", ...words, "--json"],
        { cwd: root }
      )
      let said = ""
      child.stdout.on("data", (part) => (said += String(part)))
      child.on("close", (code) => done({ code, said }))
    })

  it("ends with the recorded text on every device, also after a restart", async () => {
    const { code, said } = await run(traceFile)
    assert.strictEqual(code, 0, said)
    const summary = JSON.parse(said)
    assert.strictEqual(summary.transactions, trace.transactions.length)
    assert.deepStrictEqual(
      summary.devices.map(({ author }: { readonly author: number }) => author).sort(),
      [0, 1, 1, 2]
    )
    const feeds = [...summary.devices].sort((a, b) => a.author - b.author).map(({ feed }) => feed)
    assert.isBelow(summary.meetings, 60)
    assert.strictEqual(new Set(feeds).size, 4)
  })

  it("tells where the text is another one", () =>
    inDirectory(async (directory) => {
      const file = join(directory, "wrong.json")
      const data = {
        startContent: "one \u{1f600} two",
        endContent: "one \u{1f600} too",
        txns: [{ patches: [[5, 1, "-"]] }]
      }
      writeFileSync(file, JSON.stringify(data))
      const { code, said } = await run(file)
      assert.strictEqual(code, 1, said)
      assert.include(said, "TextDiffers")
      assert.include(said, "from code unit 6 on")
    }))

  it("refuses a command line that is none", async () => {
    const { code } = await run("a.json", "b.json")
    assert.strictEqual(code, 2)
  })
})
