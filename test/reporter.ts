/**
 * Closes a run of `npm test` with a line naming what it left to `npm run test:real`, so that nobody takes a green run
 * for more than it was.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { Reporter, Vitest } from "vitest/node"

const realTests = (): ReadonlyArray<string> => {
  const folder = join(import.meta.dirname, "real")
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => `test/real/${file.replaceAll("\\", "/")}`)
    .toSorted()
}

export class LeftToReal implements Reporter {
  private runsReal = false

  onInit(vitest: Vitest): void {
    this.runsReal = vitest.projects.some((project) => project.name === "real")
  }

  onTestRunEnd(): void {
    if (!this.runsReal) console.log(`Left to "npm run test:real": ${realTests().join(", ")}`)
  }
}
