/**
 * The built package as a stranger meets it: what package.json promises is copied into an empty project, then imported
 * by Node, type-checked by a consumer who never heard of `aura-source`, bundled for a browser, and run as a command.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll } from "vitest"
import { tool } from "../../scripts/tools.ts"

const root = resolve(import.meta.dirname, "../..")
const project = realpathSync(mkdtempSync(join(tmpdir(), "aura-stranger-")))
const aura = join(project, "node_modules", "aura")

interface Manifest {
  readonly files: ReadonlyArray<string>
  readonly exports: Readonly<Record<string, unknown>>
}

const manifest: Manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const entries = Object.keys(manifest.exports).map((path) => path.replace(/^\./u, "aura"))

const node = (...parameters: ReadonlyArray<string>) =>
  spawnSync(process.execPath, parameters, { cwd: project, encoding: "utf8" })

const succeeds = (run: ReturnType<typeof node>): string => {
  assert.strictEqual(run.status, 0, `${run.stdout}\n${run.stderr}`)
  return run.stdout
}

beforeAll(() => {
  succeeds(node(join(root, "scripts", "prepare.js")))
  mkdirSync(aura, { recursive: true })
  for (const file of ["package.json", ...manifest.files])
    cpSync(join(root, file), join(aura, file), { recursive: true })
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name === "aura" || name.startsWith(".")) continue
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name), "junction")
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "stranger", type: "module" }))
})

afterAll(() => rmSync(project, { recursive: true, force: true }))

describe("the built package", () => {
  it("is imported by Node, entry by entry", () => {
    for (const entry of entries) {
      const script = `const entry = await import(${JSON.stringify(entry)}); console.log(Object.keys(entry).length)`
      assert.isAbove(Number(succeeds(node("--input-type=module", "--eval", script))), 0, entry)
    }
  })

  it("has types for every entry", () => {
    const lines = entries.map((entry, index) => `import * as entry${index} from ${JSON.stringify(entry)}`)
    const used = entries.map((_, index) => `entry${index}`)
    writeFileSync(join(project, "consumer.ts"), [...lines, `export const all = [${used.join(", ")}]`].join("\n"))
    const compilerOptions = { strict: true, module: "NodeNext", target: "ES2023", types: ["node"], noEmit: true }
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }))
    succeeds(node(tool("tsc"), "-p", project))
  })

  it("refuses its server entry in a browser bundle", async () => {
    const contents = `import * as Server from "aura/server"; console.log(Server)`
    const bundled = await build({
      stdin: { contents, resolveDir: project },
      bundle: true,
      format: "esm",
      platform: "browser",
      write: false,
      logLevel: "silent"
    })
    writeFileSync(join(project, "bundle.js"), bundled.outputFiles[0]!.text)
    assert.include(node("bundle.js").stderr, `in a browser import from "aura/browser" instead of "aura/server"`)
  })

  it("runs as a command", () => {
    assert.include(succeeds(node(join(aura, "dist", "cli.js"), "--help")), "aura")
  })
})
