/**
 * Bundles a module for a browser the way applications do, with Vite and with esbuild, from the sources.
 *
 * Nothing is written to disk. What each bundler says about Node's modules is turned into a list of them, since one
 * fails on such an import and the other replaces it by an empty module with a warning.
 */
import { build as buildWithEsbuild } from "esbuild"
import { resolve } from "node:path"
import { gzipSync } from "node:zlib"
import { build as buildWithVite, defaultClientConditions } from "vite"

const root = resolve(import.meta.dirname, "..")

export interface Bundle {
  readonly code: string
  /** Minified and gzipped: all chunks, also those that would be loaded later, of which there are none. */
  readonly bytes: number
  readonly nodeModules: ReadonlyArray<string>
}

const bundleOf = (code: string, nodeModules: Iterable<string>): Bundle => ({
  code,
  bytes: gzipSync(code, { level: 9 }).length,
  nodeModules: [...new Set(nodeModules)].toSorted()
})

/** Rejects with Vite's own error. `entry` is relative to the repository. */
export const bundleWithVite = async (entry: string): Promise<Bundle> => {
  const nodeModules: Array<string> = []
  const built = await buildWithVite({
    root,
    configFile: false,
    logLevel: "silent",
    resolve: { conditions: ["aura-source", ...defaultClientConditions] },
    build: { write: false, minify: true, modulePreload: false, rolldownOptions: { input: resolve(root, entry) } },
    plugins: [
      {
        name: "node-modules-seen",
        enforce: "pre",
        resolveId: (id) => {
          if (id.startsWith("node:")) nodeModules.push(id)
          return null
        }
      }
    ]
  })
  const outputs = (Array.isArray(built) ? built : [built]).flatMap((one) => ("output" in one ? one.output : []))
  return bundleOf(outputs.map((file) => (file.type === "chunk" ? file.code : "")).join("\n"), nodeModules)
}

/** Rejects with esbuild's own error. `entry` is relative to the repository. */
export const bundleWithEsbuild = async (entry: string): Promise<Bundle> => {
  const nodeModules: Array<string> = []
  const built = await buildWithEsbuild({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    conditions: ["aura-source"],
    write: false,
    logLevel: "silent",
    plugins: [
      {
        name: "node-modules-seen",
        setup: (bundler) =>
          bundler.onResolve({ filter: /^node:/ }, ({ path }) => {
            nodeModules.push(path)
            return { path, external: true }
          })
      }
    ]
  })
  return bundleOf(built.outputFiles.map((file) => file.text).join("\n"), nodeModules)
}
