/**
 * The rules of the tree as data, and one function that says what a file does against them.
 *
 * Every rule here once was a review comment. Comments are cut out before words and imports are looked for, so that
 * documentation may name what code may not use; strings stay, for imports are strings. A regular expression is not
 * parsed as such: one that holds an unbalanced backtick or quote may hide the rest of its line.
 */
import { posix } from "node:path"

const pure = ["identity", "journal", "trust", "sync"]
const handled = ["effects", "identity", "journal", "trust", "observability", "handlers/shared"]
const portable = [...pure, "effects", "runtime", "observability"]

/** Which place may import which: the table of ARCHITECTURE.md, one row per folder and per entry. */
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  identity: [],
  journal: ["identity"],
  trust: ["identity", "journal"],
  sync: ["identity", "journal", "trust"],
  effects: ["identity", "journal", "trust"],
  observability: [],
  runtime: [...pure, "effects", "observability"],
  "handlers/shared": ["effects", "identity", "journal"],
  "handlers/wrappers": ["effects", "observability"],
  "handlers/memory": handled,
  "handlers/node": handled,
  "handlers/browser": handled,
  config: ["identity", "trust"],
  composition: [...portable, "handlers/memory", "handlers/node", "handlers/wrappers", "config"],
  deploy: [],
  simulation: [...portable, "handlers/memory", "handlers/shared"],
  conformance: [...pure, "effects"],
  cli: [
    ...portable,
    "handlers/memory",
    "handlers/node",
    "handlers/shared",
    "composition",
    "config",
    "deploy",
    "simulation",
    "conformance"
  ],
  "index.ts": portable,
  "text.ts": portable,
  "simulation.ts": ["simulation", "handlers/memory"],
  "conformance.ts": ["conformance"],
  "browser.ts": ["index.ts", ...portable, "handlers/browser", "handlers/memory", "handlers/shared"],
  "server.ts": ["index.ts", ...portable, "composition", "handlers/node", "handlers/memory", "handlers/shared"],
  "refusal.ts": [],
  "portable.d.ts": []
}

const onNode = ["handlers/node", "config", "composition", "cli"]

/** Which places may import which package; a package that is not here has no reason in ARCHITECTURE.md yet. */
const packages: ReadonlyArray<readonly [name: RegExp, places: ReadonlyArray<string> | "everywhere"]> = [
  // Large, used for a little each: a page would load them.
  [/^effect\/(?:ManagedRuntime|Metric)$/u, notIn([...pure, "effects", "runtime"])],
  // The pure folders return values: Schema, Option and Result, but nothing that runs.
  [/^effect\/(?:Effect|Layer|Context|Fiber|Stream|Queue|Ref|Scope)$/u, notIn(pure)],
  [/^effect\/./u, "everywhere"],
  [/^@noble\/(?:hashes|curves|ciphers)\/.*\.js$/u, "everywhere"],
  [/^@scure\/bip39(?:\/|$)/u, ["identity", "cli"]],
  [/^yjs$/u, ["journal", "text.ts"]],
  [/^node:/u, onNode],
  [/^(?:ws|@peculiar\/x509|reflect-metadata)$/u, onNode],
  [/^@effect\/platform-node\/./u, onNode],
  [/^@effect\/sql-pg\/./u, ["handlers/node"]],
  [/^aws4fetch$/u, ["handlers/node"]],
  [/^uqr$/u, ["cli"]],
  [/^smol-toml$/u, ["config", "cli"]]
]

const ambient = ["handlers/node", "handlers/browser"]

interface Word {
  readonly pattern: RegExp
  readonly instead: string
  /** Folders and files where it may stand all the same. */
  readonly except: ReadonlyArray<string>
}

const banned: ReadonlyArray<Word> = [
  { pattern: /\bDate\.now\b|\bnew Date\b/u, instead: "effect/Clock or effects/Time", except: ambient },
  { pattern: /\bMath\.random\b/u, instead: "effect/Random, or SecureRandom for anything secret", except: ambient },
  { pattern: /\b(?:setTimeout|setInterval|setImmediate)\b/u, instead: "Effect.sleep or a Schedule", except: ambient },
  { pattern: /(?<![\w.])fetch\(/u, instead: "effects/Network", except: ambient },
  { pattern: /(?<![\w.])console\./u, instead: "Effect.log", except: [...ambient, "cli"] },
  {
    pattern: /(?<![\w.])process\.(?:argv|cwd|env|exit|hrtime|nextTick|platform|std\w+)\b/u,
    instead: "an argument",
    except: [...ambient, "cli"]
  },
  { pattern: /(?<![\w.])import\(/u, instead: "an import at the top", except: [...ambient, "cli"] },
  {
    pattern: /\bconnection\.send\(/u,
    instead: "Guard.send",
    except: [...ambient, "handlers/memory", "handlers/shared", "runtime/Guard.ts", "simulation", "conformance"]
  },
  { pattern: /\bforkDetach\b/u, instead: "Effect.forkScoped", except: ["simulation"] },
  { pattern: /\b(?:Queue|PubSub)\.unbounded\b/u, instead: "a bounded one with a named limit", except: [] },
  { pattern: /\bexport default\b/u, instead: "a named export", except: [] },
  { pattern: /\bas any\b|\bas unknown as\b/u, instead: "a Schema that decodes", except: [] }
]

/**
 * Network carries bytes past nobody but the guard. The handlers that implement it are known by their names; these are
 * the others that may know the contract, each with its reason.
 */
const networkUsers: ReadonlyArray<RegExp> = [
  /^handlers\/\w+\/\w*Network\.ts$/u, // they implement it
  /^handlers\/node\/TlsDial\.ts$/u, // a part of one that implements it
  /^handlers\/shared\/\w+\.ts$/u, // they are parts of those that implement it
  /^runtime\/Guard\.ts$/u, // the only door out
  /^runtime\/Aura\.ts$/u, // names it among the effects that a runtime is built of
  /^runtime\/Agent\.ts$/u, // opens and accepts connections
  /^runtime\/Link\.ts$/u, // lives as long as a connection; what it sends goes through the guard
  /^runtime\/Outbox\.ts$/u, // the sending half of a link
  /^simulation\//u, // a network in a world of its own
  /^conformance\/NetworkLaws\.ts$/u, // its laws
  /^(?:index|server|browser)\.ts$/u // the public name of the contract
]

/** Who somebody is, and what he may, are found out by code that does not know of each other; both know ids. */
const asksWho: ReadonlyArray<RegExp> = [
  /^identity\/(?!(?:Id|Bytes|Hash)\.ts$)\w+\.ts$/u,
  /^handlers\/shared\//u,
  /^cli\/web\/(?:SignedRequest|MessageSignature|StructuredField|NonceBook)\.ts$/u
]
const asksWhat: ReadonlyArray<RegExp> = [/^trust\//u, /^runtime\/(?:AccessControl|Governing)\.ts$/u]

const isMixed = (path: string, file: string): boolean =>
  [
    [asksWho, asksWhat],
    [asksWhat, asksWho]
  ].some(([one, other]) => one!.some((place) => place.test(path)) && other!.some((place) => place.test(file)))

/** Cuts comments out and keeps every line where it was. */
export const codeOf = (text: string): string =>
  text.replaceAll(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//gu, (piece) =>
    piece.startsWith("/") ? piece.replaceAll(/[^\n]/gu, "") : piece
  )

/** Lines with code on them. */
export const codeLines = (text: string): number =>
  codeOf(text)
    .split("\n")
    .filter((line) => line.trim() !== "").length

/** Brackets, so that this file does not find itself. */
const noteToSelf = /\b(?:T[O]DO|F[I]XME|X[X]X)\b/gu

/** Statements in all their forms, up to the quoted target. */
const importTargets = /(?:^(?:import|export|\})[^"'\n]*\bfrom\s*|^import\s*|\bimport\(\s*)["']([^"']+)["']/gmu

/** What is wrong with a file whatever folder it is in; tests and scripts keep these too. */
export const unkempt = (path: string, text: string): ReadonlyArray<string> => {
  const errors: Array<string> = []
  if (!text.startsWith("/**")) errors.push(`${path}: opens without a module comment`)
  for (const [note] of text.matchAll(noteToSelf)) errors.push(`${path}: ${note} belongs in an issue`)
  for (const [character] of text.matchAll(/[\p{Cc}\p{Cf}\p{Co}\p{Zs}\p{Zl}\p{Zp}]/gu)) {
    if (character !== " " && character !== "\n") errors.push(`${path}: ${nameOf(character)} can't be seen`)
  }
  for (const [letter] of wordsOf(text).matchAll(/[^\p{ASCII}]/gu)) {
    errors.push(`${path}: ${nameOf(letter)} stands in code outside strings and comments`)
  }
  return errors
}

/** What is wrong with a file of `src/`, given its path from there. */
export const untidy = (path: string, text: string): ReadonlyArray<string> => {
  const errors = [...unkempt(path, text)]
  const from = placeOf(path)
  if (from === undefined) return [...errors, `${path}: lives in no known folder`]
  const code = codeOf(text)
  for (const [, target] of code.matchAll(importTargets)) {
    errors.push(...(target!.startsWith(".") ? misplaced(path, from, target!) : foreign(path, from, target!)))
  }
  for (const { pattern, instead, except } of banned) {
    if (!except.includes(from) && !except.includes(path) && pattern.test(code))
      errors.push(`${path}: ${pattern.source} is banned, use ${instead}`)
  }
  const reExports = /^export\s+(?:type\s+)?(?:\*|\{[^}]*\})(?:\s+as\s+\w+)?\s+from\b/mu.test(code)
  if (reExports && path.includes("/")) errors.push(`${path}: re-exports; inside src/ import the file`)
  return errors
}

const placeOf = (path: string): string | undefined =>
  Object.keys(mayImport).find((place) => path === place || path.startsWith(`${place}/`))

const misplaced = (path: string, from: string, target: string): ReadonlyArray<string> => {
  const file = posix.join(posix.dirname(path), target)
  const to = placeOf(file)
  if (!target.endsWith(".ts")) return [`${path}: ${target} is imported without its extension`]
  if (to === undefined) return [`${path}: imports ${file}, which lives in no known folder`]
  if (to !== from && !mayImport[from]!.includes(to)) return [`${path}: ${from} may not import ${to}`]
  if (file === "effects/Network.ts" && !networkUsers.some((user) => user.test(path))) {
    return [`${path}: only the guard and the handlers may import effects/Network.ts`]
  }
  if (isMixed(path, file)) return [`${path}: imports ${file}, and who asks is no part of what he may`]
  return []
}

const foreign = (path: string, from: string, name: string): ReadonlyArray<string> => {
  const row = packages.find(([pattern]) => pattern.test(name))
  if (row === undefined) return [`${path}: ${name} is in no row of the table of packages`]
  return row[1] === "everywhere" || row[1].includes(from) ? [] : [`${path}: ${from} may not import ${name}`]
}

function notIn(places: ReadonlyArray<string>): ReadonlyArray<string> {
  return Object.keys(mayImport).filter((place) => !places.includes(place))
}

/** Code without comments, strings and regular expressions: keywords and names. */
const wordsOf = (text: string): string =>
  codeOf(text).replaceAll(
    /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/(?:\\.|[^/\\\n])+\/[a-z]*/gu,
    '""'
  )

const nameOf = (character: string): string =>
  `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`
