/**
 * One run of one side in a process of its own: `measure.ts run QUESTION SIDE DIRECTORY` prints the figure,
 * `measure.ts fill QUESTION SIDE DIRECTORY` fills the directory that the side asks for.
 *
 * SIDE is the place in `[ours, ...peers]`. The figure is the last line of stdout, since libraries may print too.
 */
import { questions } from "./questions.ts"

const [act, name, place, directory] = process.argv.slice(2)
const question = questions.find(({ question }) => question === name)
const side = question === undefined ? undefined : [question.ours, ...question.peers][Number(place)]
if (side === undefined || directory === undefined) throw new Error(`no side ${place} of a question ${name}`)

try {
  if (act === "fill") await side.prepare?.fill(directory)
  else process.stdout.write(`\n${await side.run(directory)}\n`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
// Libraries leave timers and sockets behind; the figure is out, so the process ends.
process.stdout.write("", () => process.exit())
