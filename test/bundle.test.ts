/**
 * What a page gets when it bundles Aura: the browser entry, and a whole application, without Node and at their recorded
 * weight, and a refusal that names the right import for a page that took the server's entry.
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { bundleWithEsbuild, bundleWithVite } from "../scripts/bundle.ts"

const recorded: Record<string, Record<string, number>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "bundle-size.json"), "utf8")
)

/** A bundle may weigh this much more or less than recorded before somebody has to say that it was meant. */
const toleratedShare = 0.02

const bundlers = { vite: bundleWithVite, esbuild: bundleWithEsbuild }

const messageOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "nothing failed",
    (error: unknown) => String(error)
  )

for (const [name, bundle] of Object.entries(bundlers)) {
  describe(`bundled with ${name}`, () => {
    for (const entry of ["browserEntry", "syncingApp", "connectedApp"]) {
      it(`${entry} needs nothing of Node and weighs what was recorded`, async () => {
        const { bytes, nodeModules } = await bundle(`test/bundle/${entry}.ts`)
        assert.deepStrictEqual(nodeModules, [])
        const before = recorded[entry]?.[name] ?? 0
        assert.isAtMost(
          Math.abs(bytes - before),
          before * toleratedShare,
          `${entry} has ${bytes} bytes, recorded are ${before}: if that is meant, "npm run record:bundle"`
        )
      })
    }

    it("a bundle with the server's entry throws a sentence that names the browser's", async () => {
      const { code } = await bundle("test/bundle/serverByNamespace.ts")
      const url = `data:text/javascript,${encodeURIComponent(code)}`
      assert.include(
        await messageOf(import(/* @vite-ignore */ url)),
        `aura/server runs on Node only: in a browser import from "aura/browser"`
      )
    })

    it("a name imported from the server's entry fails while bundling", async () => {
      const message = await messageOf(bundle("test/bundle/serverByName.ts"))
      assert.include(message, "refusal.ts")
      assert.include(message, "Storage")
    })
  })
}
