/**
 * Adds up what the test runs named on the command line reported (vitest's JSON) and closes with one plain line:
 * `N passed, N failed`. A report that is missing or unreadable counts as one failure, for its run never ended.
 */
import { existsSync, readFileSync } from "node:fs"

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly success: boolean
}

const countOf = (file: string): readonly [passed: number, failed: number] => {
  if (!existsSync(file)) {
    console.error(`no report at ${file}: that run did not end`)
    return [0, 1]
  }
  const report: Report = JSON.parse(readFileSync(file, "utf8"))
  // A file that fails to load fails its run without failing any test.
  return [report.numPassedTests, report.success ? report.numFailedTests : Math.max(1, report.numFailedTests)]
}

const counts = process.argv.slice(2).map(countOf)
const passed = counts.reduce((sum, [count]) => sum + count, 0)
const failed = counts.reduce((sum, [, count]) => sum + count, 0)
console.log(`${passed} passed, ${failed} failed`)
if (failed > 0 || passed === 0) process.exitCode = 1
