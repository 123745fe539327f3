/** Loads the application files named on the command line and prints each problem as a line of JSON. */
import * as Effect from "effect/Effect"
import * as Application from "../../src/cli/Application.ts"
import * as Problem from "../../src/cli/Problem.ts"

for (const file of process.argv.slice(2)) {
  const problem = await Effect.runPromise(Effect.flip(Application.load(file)))
  process.stdout.write(`${JSON.stringify(Problem.toJson(problem))}\n`)
}
