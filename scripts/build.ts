/**
 * Builds `dist/`: one JavaScript file per entry of package.json with shared chunks, and the declarations beside them.
 *
 * The entries are read from `exports` and `bin`, so what is built and what is promised can't differ; an entry without
 * a source file fails the build by name. Dependencies stay imports: a process has one copy of `effect`, whoever
 * brings it. Declarations come from `tsc -b`, because Effect's classes can't be declared file by file.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { rolldown } from "rolldown"
import { tool } from "./tools.ts"

const root = resolve(import.meta.dirname, "..")

type Condition = string | { readonly [condition: string]: Condition }

interface Manifest {
  readonly exports: Readonly<Record<string, Condition>>
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

/** Where a built file comes from: `dist/x.js` from `src/x.ts`, and the command from its folder. */
const sourceOf = (built: string): string =>
  built === "dist/cli.js" ? "src/cli/main.ts" : built.replace(/^dist\//u, "src/").replace(/\.js$/u, ".ts")

const builtFiles = (condition: Condition): ReadonlyArray<string> =>
  typeof condition === "string"
    ? condition.endsWith(".js")
      ? [condition.replace(/^\.\//u, "")]
      : []
    : Object.values(condition).flatMap(builtFiles)

const entries = (manifest: Manifest): Readonly<Record<string, string>> => {
  const built = [...Object.values(manifest.exports), ...Object.values(manifest.bin)].flatMap(builtFiles)
  const missing = built.filter((file) => !existsSync(join(root, sourceOf(file))))
  if (missing.length > 0) {
    const lines = missing.map((file) => `  ${file}: ${sourceOf(file)} does not exist`)
    throw new Error(`package.json promises entries that have no source:\n${lines.join("\n")}`)
  }
  return Object.fromEntries(built.map((file) => [file.slice("dist/".length, -".js".length), sourceOf(file)]))
}

const bundle = async (manifest: Manifest): Promise<void> => {
  const external = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  const bundled = await rolldown({
    cwd: root,
    input: entries(manifest),
    platform: "neutral",
    external: (id) => id.startsWith("node:") || external.some((name) => id === name || id.startsWith(`${name}/`))
  })
  await bundled.write({
    dir: join(root, "dist"),
    format: "esm",
    sourcemap: true,
    chunkFileNames: "chunks/[name]-[hash].js",
    banner: (chunk) => (chunk.name === "cli" && chunk.isEntry ? "#!/usr/bin/env node" : "")
  })
  await bundled.close()
  chmodSync(join(root, "dist", "cli.js"), 0o755)
}

const declare = (): void => {
  const projects = ["portable", "node", "browser"].map((name) => `tsconfig.${name}.json`)
  const { status } = spawnSync(process.execPath, [tool("tsc"), "-b", ...projects], { cwd: root, stdio: "inherit" })
  if (status !== 0) throw new Error("the declarations were not built: see the type errors above")
}

/** Builds everything anew. A failed build leaves no `dist/.built`, so the next install builds again. */
export const build = async (): Promise<void> => {
  const manifest: Manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  rmSync(join(root, "dist"), { recursive: true, force: true })
  await bundle(manifest)
  declare()
  writeFileSync(join(root, "dist", ".built"), "")
}

if (import.meta.main) await build()
