/**
 * The two streams of a command: data on stdout, everything else on stderr.
 *
 * With `--json` each piece of data is one line `{"ok":true,…}` and the failure, if there is one, the last line,
 * `{"ok":false,"error":{…}}`; stderr then stays for the log. Without it data is rendered for people and problems go to
 * stderr. A reader that went away (`| head`) ends the command silently, as it does with other tools.
 */
import type * as Schema from "effect/Schema"
import * as Problem from "./Problem.ts"
import { printable, strong } from "./Text.ts"

/** One piece of data: an object. */
export type Data = { readonly [part: string]: Schema.Json }

export interface Output {
  readonly isJson: boolean
  readonly data: (data: Data, rendered: string) => void
  /** A line for people, on stderr; nothing with `--json`. */
  readonly note: (text: string) => void
  readonly problem: (problem: Problem.Problem) => void
}

export const make = (isJson: boolean): Output => ({
  isJson,
  data: (data, rendered) => {
    if (isJson) process.stdout.write(`${JSON.stringify({ ok: true, ...data })}\n`)
    else if (rendered !== "") process.stdout.write(`${rendered}\n`)
  },
  note: (text) => {
    if (!isJson) process.stderr.write(`${text}\n`)
  },
  problem: (problem) => {
    if (isJson) process.stdout.write(`${JSON.stringify({ ok: false, error: Problem.toJson(problem) })}\n`)
    else process.stderr.write(`${describe(problem)}\n`)
  }
})

const describe = (problem: Problem.Problem): string =>
  [
    `${strong("aura:")} ${printable(problem.what)}`,
    ...(problem.details ?? []).map((detail) => `  ${printable(typeof detail === "string" ? detail : lineOf(detail))}`),
    ...(problem.where === undefined || problem.what.includes(problem.where)
      ? []
      : [`  where:   ${printable(problem.where)}`]),
    ...(problem.allowed === undefined || problem.what.includes(problem.allowed)
      ? []
      : [`  allowed: ${printable(problem.allowed)}`]),
    ...(problem.do === undefined ? [] : [`  do:      ${printable(problem.do)}`])
  ].join("\n")

const lineOf = (detail: Schema.Json): string =>
  typeof detail === "object" && detail !== null
    ? Object.entries(detail)
        .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
        .join(", ")
    : JSON.stringify(detail)

/** Waits until both streams have taken everything, then ends the process. */
export const exit = (code: number): void => {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)))
}

/** A closed pipe is the reader's decision, no failure. */
export const tolerateClosedPipes = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: Error) => {
      if ("code" in error && error.code === "EPIPE") process.exit(0)
      throw error
    })
  }
}
