import { play } from "../../src/simulation/Scenario.ts"
import { keyring, verifier } from "./signing.ts"
const [from = "1", to = from, verbose] = process.argv.slice(2)
const began = process.cpuUsage()
for (let seed = Number(from); seed <= Number(to); seed++) {
  const t = process.cpuUsage()
  const played = play({
    seed,
    keyring,
    verifier,
    linesKept: 20000,
    ...(verbose === "log" ? { log: (line) => console.log(line) } : {})
  })
  const text = played.violations
    .slice(0, 4)
    .map(({ checker, what }) => `   ${checker}: ${what.slice(0, verbose ? 5000 : 300)}`)
  console.log(
    `${seed} ${(process.cpuUsage(t).user / 1000).toFixed(0)} ms ${played.violations.length === 0 ? "ok" : "WRONG"} ${JSON.stringify(played.figures)}`
  )
  if (text.length > 0) console.log(text.join("\n"))
  if (verbose) {
    console.log(played.about)
    console.log(played.trace.slice(-Number(process.argv[5] ?? 60)).join("\n"))
  }
}
console.log(`${(process.cpuUsage(began).user / 1000).toFixed(0)} ms of cpu`)
