import { defineConfig } from "vitest/config"
import { LeftToReal } from "./test/reporter.ts"
import { plugin as planting } from "./test/simulation/mutations.ts"

/** Set by continuous integration, which counts tests from the JSON written there. */
const resultsFile = process.env["AURA_TEST_RESULTS"]

export default defineConfig({
  plugins: [planting],
  resolve: { conditions: ["aura-source"] },
  ssr: { resolve: { conditions: ["aura-source"] } },
  test: {
    maxWorkers: 2,
    testTimeout: 60_000,
    reporters: [
      "default",
      ...(resultsFile === undefined ? [] : [["json", { outputFile: resultsFile }] satisfies [string, unknown]]),
      new LeftToReal()
    ],
    projects: [
      { extends: true, test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/real/**"] } },
      // Real servers, real disks, killed processes: one file at a time, and they may take their time.
      {
        extends: true,
        test: {
          name: "real",
          include: ["test/real/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000
        }
      }
    ]
  }
})
