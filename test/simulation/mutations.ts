/**
 * Bugs that are planted where a mock of what a module offers can't reach: a line inside it, put another way while it is
 * loaded. Nothing of them stands in `src`.
 *
 * A test asks for `planted(file, bug)` in place of the module (`vi.mock`); the plugin that the configuration of the tests
 * names puts the line the other way. A line that is no longer there, or stands there twice, fails the test.
 */
import type { Plugin } from "vitest/config"

interface Edit {
  readonly file: string
  readonly from: string
  readonly to: string
}

const bugs: Readonly<Record<string, ReadonlyArray<Edit>>> = {
  "a right that may not be passed on is passed on once": [
    { file: "trust/Holding.ts", from: "held.depth < 1", to: "held.depth < 0" }
  ],
  "a cut leaves alone the authority feeds that it does not name": [
    {
      file: "trust/Regime.ts",
      from: "isBefore(find, cutting.cut.get(node.feed.id), node) ||",
      to: "!cutting.cut.has(node.feed.id) || isBefore(find, cutting.cut.get(node.feed.id), node) ||"
    }
  ],
  "a cut leaves alone the data feeds that it does not name": [
    { file: "trust/Authority.ts", from: 'if (cut === undefined) return "start"', to: "if (cut === undefined) continue" }
  ],
  "rights of several chains are joined: what one lets pass on goes for all": [
    {
      file: "trust/Judge.ts",
      from: "return held.sort(Holding.byRight)",
      to: `const depth = Math.max(...held.map((one) => one.depth))
           return held.map((one) => ({ ...one, depth })).sort(Holding.byRight)`
    }
  ],
  "rights of several chains are joined: one that lasts makes others last": [
    {
      file: "trust/Judge.ts",
      from: "return held.sort(Holding.byRight)",
      to: `const until = held.some((one) => one.until === undefined) ? () => undefined : (one) => one.until
           return held.map((one) => ({ ...one, until: until(one) })).sort(Holding.byRight)`
    }
  ],
  "a withdrawn grant goes on giving": [
    {
      file: "trust/Descent.ts",
      from: 'if (limit.fact._tag === "Ungrant") return []',
      to: 'if (limit.fact._tag === "Ungrant") continue'
    }
  ],
  "a ceiling leaves what is above it": [
    { file: "trust/Descent.ts", from: 'if (limit.fact._tag === "Refine") left =', to: "if (left.length === 0) left =" }
  ],
  "anybody lifts what others laid on": [
    {
      file: "trust/Judge.ts",
      from: "node.feed.device === judge.book.genesis.root ||",
      to: "node.feed.device.length > 0 ||"
    }
  ],
  "whoever is reported goes on": [
    { file: "trust/Decision.ts", from: "standing?.isTerminated === true", to: "false && standing?.isTerminated" }
  ],
  "a policy binds nobody who has not seen it": [
    { file: "trust/PolicyChange.ts", from: "[...last, ...later].map", to: "[...last, ...later.slice(0, 0)].map" }
  ],
  "whether a right has ended is asked of the time of arrival": [
    {
      file: "runtime/Judging.ts",
      from: "const progress: Progress =",
      to: "arrivedMillis = nowMillis; const progress: Progress ="
    },
    {
      file: "runtime/Judging.ts",
      from: "const allowed: Decision.Decision =",
      to: "let arrivedMillis = 0; const allowed: Decision.Decision ="
    },
    {
      file: "runtime/Judging.ts",
      from: "time: pending.time,\n      definition: rules.success",
      to: "time: Clock.fromMillis(arrivedMillis),\n      definition: rules.success"
    }
  ]
}

const query = "?planted="

/** The module of `src` with a bug in it. */
export const planted = (file: string, bug: string): Promise<object> =>
  import(/* @vite-ignore */ `/src/${file}${query}${encodeURIComponent(bug)}`) as Promise<object>

/** Plants what is asked for. */
export const plugin: Plugin = {
  name: "planted bugs",
  enforce: "pre",
  transform: (code, id) => {
    const [path = "", bug] = id.split(query)
    if (bug === undefined) return undefined
    const edits = bugs[decodeURIComponent(bug)]?.filter(({ file }) => path.endsWith(`/src/${file}`)) ?? []
    if (edits.length === 0) throw new Error(`nothing is planted in ${path}`)
    return edits.reduce((text, { from, to }) => {
      if (text.split(from).length !== 2) throw new Error(`${path} does not hold "${from}" once`)
      return text.replace(from, () => to)
    }, code)
  }
}
