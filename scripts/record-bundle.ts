/**
 * Writes down what the browser entry, all of it, and a whole application weigh now (`test/bundle-size.json`), for a
 * change of size that is meant: the application over effects that its page brings (`syncingApp`), and with the device
 * channel and portable cryptography below it (`connectedApp`).
 * The test holds later bundles to within two percent of it.
 */
import { writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { bundleWithEsbuild, bundleWithVite } from "./bundle.ts"

const weigh = async (entry: string) => ({
  vite: (await bundleWithVite(entry)).bytes,
  esbuild: (await bundleWithEsbuild(entry)).bytes
})
const sizes = {
  browserEntry: await weigh("test/bundle/browserEntry.ts"),
  syncingApp: await weigh("test/bundle/syncingApp.ts"),
  connectedApp: await weigh("test/bundle/connectedApp.ts")
}
writeFileSync(resolve(import.meta.dirname, "../test/bundle-size.json"), `${JSON.stringify(sizes, null, 2)}\n`)
for (const [name, { esbuild, vite }] of Object.entries(sizes))
  console.log(`${name}, minified and gzipped: ${vite} bytes by Vite, ${esbuild} bytes by esbuild`)
