/**
 * How long functions are, each without the functions inside it: a layer's closure with eight small methods is short, a
 * method that outgrew the screen is not, however deep it stands. Blank lines and comments don't count.
 */
import { parseAst } from "rolldown/parseAst"
import { codeOf } from "./rules.ts"

interface Span {
  readonly start: number
  readonly end: number
}

const functionTypes = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"])

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** Every function, outer ones first. */
function* functionsIn(node: unknown): Generator<Span> {
  if (Array.isArray(node)) {
    for (const child of node) yield* functionsIn(child)
  } else if (isObject(node)) {
    if (functionTypes.has(String(node["type"]))) yield { start: Number(node["start"]), end: Number(node["end"]) }
    for (const child of Object.values(node)) yield* functionsIn(child)
  }
}

/** Lines of code of the longest function in a module of TypeScript; 0 when there is none. */
export const longestFunction = (text: string): number => {
  const functions = [...functionsIn(parseAst(text, { lang: "ts" }))]
  const code = codeOf(text).split("\n")
  // The line that opens a function belongs to what is around it, and counts for the function all the same.
  const lengths = functions.map(() => 1)
  let offset = 0
  for (const [line, whole] of text.split("\n").entries()) {
    const begin = offset + whole.search(/\S|$/u)
    const innermost = functions.findLastIndex(({ start, end }) => start < begin && begin < end)
    if (innermost >= 0 && code[line]!.trim() !== "") lengths[innermost]! += 1
    offset += whole.length + 1
  }
  return Math.max(0, ...lengths)
}
