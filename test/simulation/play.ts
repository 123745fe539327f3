import { play } from "../../src/simulation/Scenario.ts"
import { keyring, verifier } from "./signing.ts"
const [from = "1", to = from, verbose] = process.argv.slice(2)
const began = performance.now()
for (let seed = Number(from); seed <= Number(to); seed++) {
  const t = performance.now()
  const played = play({ seed, keyring, verifier, ...(verbose === "log" ? { log: (line) => console.log(line) } : {}) })
  const text = played.violations.slice(0, 4).map(({ checker, what }) => `   ${checker}: ${what.slice(0, verbose ? 5000 : 300)}`)
  console.log(`${seed} ${(performance.now() - t).toFixed(0)} ms ${played.violations.length === 0 ? "ok" : "WRONG"} ${JSON.stringify(played.figures)}`)
  if (text.length > 0) console.log(text.join("\n"))
  if (verbose) { console.log(played.about); console.log(played.trace.slice(-Number(process.argv[5] ?? 60)).join("\n")) }
}
console.log(`${(performance.now() - began).toFixed(0)} ms`)
