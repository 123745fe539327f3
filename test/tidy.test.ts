/**
 * Checks of the code itself: which folder may import which, which words may appear where, and how long things may get.
 * The rules are data in `tidy/rules.ts`.
 *
 * Length is a ratchet: what was longer when it was written stands in `tidy/ratchet.json` and may not grow; whoever
 * shortens it takes it off the list.
 */
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { longestFunction } from "./tidy/functions.ts"
import { codeLines, unkempt, untidy } from "./tidy/rules.ts"

const root = resolve(import.meta.dirname, "..")

/** Lines of code: comments and blank lines don't count, nor for a function the functions inside it. */
const fileLinesMax = 400
const functionLinesMax = 60

const ratchet: Readonly<Record<"files" | "functions", Readonly<Record<string, number>>>> = JSON.parse(
  readFileSync(join(root, "test/tidy/ratchet.json"), "utf8")
)

const filesUnder = (folder: string): ReadonlyArray<readonly [path: string, text: string]> =>
  globSync("**/*.{ts,js}", { cwd: join(root, folder), exclude: ["**/node_modules"] }).map((file) => [
    file.replaceAll("\\", "/"),
    readFileSync(join(root, folder, file), "utf8")
  ])

/** What has grown past its limit or past what the ratchet allows it, and what stands in the ratchet for nothing. */
const overgrown = (
  lengths: Readonly<Record<string, number>>,
  allowed: Readonly<Record<string, number>>,
  linesMax: number
): ReadonlyArray<string> => [
  ...Object.entries(lengths)
    .filter(([path, lines]) => lines > Math.max(linesMax, allowed[path] ?? 0))
    .map(([path, lines]) => `${path}: ${lines} lines of code, at most ${Math.max(linesMax, allowed[path] ?? 0)}`),
  ...Object.keys(allowed)
    .filter((path) => (lengths[path] ?? 0) <= linesMax)
    .map((path) => `${path}: keeps the limit by now, take it out of test/tidy/ratchet.json`)
]

const lengthsBy = (measure: (text: string) => number): Readonly<Record<string, number>> =>
  Object.fromEntries(filesUnder("src").map(([path, text]) => [`src/${path}`, measure(text)]))

describe("the tree", () => {
  it("is tidy in src", () => {
    const files = filesUnder("src")
    assert.isNotEmpty(files)
    assert.deepStrictEqual(
      files.flatMap(([path, text]) => untidy(path, text)),
      []
    )
  })

  it("is kempt in scripts, tests, benchmarks and examples", () => {
    const errors = ["scripts", "test", "bench", "examples"].flatMap((folder) =>
      filesUnder(folder).flatMap(([path, text]) => unkempt(`${folder}/${path}`, text))
    )
    assert.deepStrictEqual(errors, [])
  })

  it("has no file that grew past its length", () => {
    assert.deepStrictEqual(overgrown(lengthsBy(codeLines), ratchet.files, fileLinesMax), [])
  })

  it("has no function that grew past its length", () => {
    assert.deepStrictEqual(overgrown(lengthsBy(longestFunction), ratchet.functions, functionLinesMax), [])
  })
})

describe("tidy finds", () => {
  const opening = "/** Something. */\n"

  it("an import against the direction", () => {
    assert.deepStrictEqual(untidy("journal/X.ts", `${opening}import { Storage } from "../effects/Storage.ts"`), [
      "journal/X.ts: journal may not import effects"
    ])
    assert.deepStrictEqual(untidy("handlers/node/X.ts", `${opening}import * as Y from '../memory/Y.ts'`), [
      "handlers/node/X.ts: handlers/node may not import handlers/memory"
    ])
    assert.deepStrictEqual(untidy("runtime/X.ts", `${opening}import { y } from "../index.ts"`), [
      "runtime/X.ts: runtime may not import index.ts"
    ])
  })

  it("who asks mixed with what he may", () => {
    assert.deepStrictEqual(untidy("trust/X.ts", `${opening}import * as Y from "../identity/Noise.ts"`), [
      "trust/X.ts: imports identity/Noise.ts, and who asks is no part of what he may"
    ])
    assert.deepStrictEqual(untidy("trust/X.ts", `${opening}import * as Y from "../identity/Id.ts"`), [])
    const text = `${opening}import * as Y from "../../runtime/AccessControl.ts"`
    assert.deepStrictEqual(untidy("cli/web/SignedRequest.ts", text), [
      "cli/web/SignedRequest.ts: imports runtime/AccessControl.ts, and who asks is no part of what he may"
    ])
  })

  it("an import spread over lines, and one of types", () => {
    const text = `${opening}import {\n  type A,\n  b\n} from "../runtime/Guard.ts"\nexport type C = import("../cli/main.ts").C`
    assert.deepStrictEqual(untidy("trust/X.ts", text).slice(0, 2), [
      "trust/X.ts: trust may not import runtime",
      "trust/X.ts: trust may not import cli"
    ])
  })

  it("a package in the wrong place, and one nobody gave a reason for", () => {
    assert.deepStrictEqual(untidy("runtime/X.ts", `${opening}import { open } from "node:fs"`), [
      "runtime/X.ts: runtime may not import node:fs"
    ])
    assert.deepStrictEqual(untidy("journal/X.ts", `${opening}import * as Effect from "effect/Effect"`), [
      "journal/X.ts: journal may not import effect/Effect"
    ])
    assert.deepStrictEqual(untidy("journal/X.ts", `${opening}import { pad } from "left-pad"`), [
      "journal/X.ts: left-pad is in no row of the table of packages"
    ])
  })

  it("a way to the network past the guard", () => {
    assert.deepStrictEqual(untidy("runtime/X.ts", `${opening}import { Network } from "../effects/Network.ts"`), [
      "runtime/X.ts: only the guard and the handlers may import effects/Network.ts"
    ])
    assert.deepStrictEqual(untidy("runtime/Guard.ts", `${opening}import { Network } from "../effects/Network.ts"`), [])
  })

  it.each([
    ["Date.now()", "effect/Clock or effects/Time"],
    ["new Date()", "effect/Clock or effects/Time"],
    ["Math.random()", "effect/Random, or SecureRandom for anything secret"],
    ["setTimeout(run, 1)", "Effect.sleep or a Schedule"],
    ["fetch(url)", "effects/Network"],
    ["console.log(1)", "Effect.log"],
    ["process.exit(1)", "an argument"],
    ['const x = await import("effect/Effect")', "an import at the top"],
    ["yield* connection.send(frame)", "Guard.send"],
    ["Effect.forkDetach(run)", "Effect.forkScoped"],
    ["Queue.unbounded()", "a bounded one with a named limit"],
    ["export default 1", "a named export"],
    ["x as any", "a Schema that decodes"]
  ])("the banned word in %s", (code, instead) => {
    const found = untidy("runtime/X.ts", `${opening}${code}\n`)
    assert.lengthOf(found, 1)
    assert.isTrue(found[0]!.endsWith(`is banned, use ${instead}`), found[0])
  })

  it("no banned word in comments, in longer words, or where it is allowed", () => {
    const text = `${opening}// Date.now() would be wrong\nqueue.fetch(1) /* console.log */\nconst preprocess = "https://aura"\n`
    assert.deepStrictEqual(untidy("runtime/X.ts", text), [])
    assert.deepStrictEqual(untidy("cli/X.ts", `${opening}process.exit(1)`), [])
    assert.deepStrictEqual(untidy("handlers/node/X.ts", `${opening}Date.now()`), [])
  })

  it("barrels, missing extensions and unknown folders", () => {
    assert.deepStrictEqual(untidy("trust/X.ts", `${opening}export * from "./Y.ts"`), [
      "trust/X.ts: re-exports; inside src/ import the file"
    ])
    assert.deepStrictEqual(untidy("trust/X.ts", `${opening}import { y } from "./Y"`), [
      "trust/X.ts: ./Y is imported without its extension"
    ])
    assert.deepStrictEqual(untidy("utils/X.ts", opening), ["utils/X.ts: lives in no known folder"])
  })

  it("files that open without a sentence, leave notes to self, or hide characters", () => {
    const note = ["TO", "DO"].join("")
    assert.deepStrictEqual(unkempt("a.ts", `import "b"\n// ${note} later`), [
      "a.ts: opens without a module comment",
      `a.ts: ${note} belongs in an issue`
    ])
    assert.deepStrictEqual(unkempt("a.ts", `${opening}const a\u00a0= "\u202e"`), [
      "a.ts: U+00A0 can't be seen",
      "a.ts: U+202E can't be seen",
      "a.ts: U+00A0 stands in code outside strings and comments"
    ])
    assert.deepStrictEqual(unkempt("a.ts", `${opening}const \u0430 = "\u00b7"`), [
      "a.ts: U+0430 stands in code outside strings and comments"
    ])
  })

  it("the longest function, without those inside it", () => {
    const inner = ["const inner = () => {", "// not counted", "", "return 2", "}"]
    assert.strictEqual(longestFunction(["const outer = () => {", ...inner, "return inner()", "}"].join("\n")), 4)
    assert.strictEqual(longestFunction(["const outer = () => [", "1,", "2,", "3", "]", "const b = 1"].join("\n")), 5)
    assert.strictEqual(longestFunction("export const a = [1, 2]\n"), 0)
  })

  it("what grew, and what the ratchet lists for nothing", () => {
    assert.deepStrictEqual(overgrown({ "a.ts": 401, "b.ts": 500, "c.ts": 501 }, { "b.ts": 500, "c.ts": 500 }, 400), [
      "a.ts: 401 lines of code, at most 400",
      "c.ts: 501 lines of code, at most 500"
    ])
    assert.deepStrictEqual(overgrown({ "b.ts": 300 }, { "b.ts": 500, "gone.ts": 500 }, 400), [
      "b.ts: keeps the limit by now, take it out of test/tidy/ratchet.json",
      "gone.ts: keeps the limit by now, take it out of test/tidy/ratchet.json"
    ])
  })
})
