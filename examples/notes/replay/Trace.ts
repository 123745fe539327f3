/**
 * A recorded editing trace: who typed what into a text, and what each had seen by then.
 *
 *     { kind: "concurrent", endContent, numAgents,
 *       txns: [{ parents: [index…], agent, patches: [[position, removed, inserted, time?]…] }…] }
 *     { startContent, endContent, txns: [{ patches: [[position, removed, inserted, time?]…] }…] }
 *
 * Both are read as JSON, gzipped or not, and become one form: a transaction starts from the merge of its parents, which
 * stand before it (none: the empty text); its patches apply one after the other. In the second form one author did all,
 * each transaction on the one before, and the text that was there at the start is his first. Positions and counts are of
 * unicode code points. Everything else that a file says (times, how many children) is left aside.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { readFile } from "node:fs/promises"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"

/** Takes `remove` code points away at `at`, then puts `insert` there. */
export interface Patch {
  readonly at: number
  readonly remove: number
  readonly insert: string
}

export interface Transaction {
  readonly author: number
  readonly parents: ReadonlyArray<number>
  readonly patches: ReadonlyArray<Patch>
}

export interface Trace {
  readonly form: "concurrent" | "sequential"
  readonly transactions: ReadonlyArray<Transaction>
  /** How many of these come before those of the file: one for a text that was there at the start. */
  readonly added: 0 | 1
  /** What the text is when all is merged. */
  readonly end: string
}

/** The file can't be read, or is not JSON. */
export class TraceUnreadable extends Schema.TaggedError<TraceUnreadable>()("TraceUnreadable", {
  where: Schema.String,
  what: Schema.String,
  allowed: Schema.String
}) {
  override get message(): string {
    return `${this.where}: ${this.what}; allowed: ${this.allowed}`
  }
}

/** It is JSON, but no editing trace. `where` leads to the place in it. */
export class TraceInvalid extends Schema.TaggedError<TraceInvalid>()("TraceInvalid", {
  where: Schema.String,
  what: Schema.String,
  allowed: Schema.String
}) {
  override get message(): string {
    return `${this.where}: ${this.what}; allowed: ${this.allowed}`
  }
}

export type TraceError = TraceUnreadable | TraceInvalid

const Count = Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(0)))
const Patches = Schema.Array(Schema.Tuple([Count, Count, Schema.String, Schema.optionalKey(Schema.Unknown)]))

const Concurrent = Schema.Struct({
  kind: Schema.Literal("concurrent"),
  endContent: Schema.String,
  numAgents: Count,
  txns: Schema.Array(Schema.Struct({ parents: Schema.Array(Count), agent: Count, patches: Patches }))
})

const Sequential = Schema.Struct({
  startContent: Schema.String,
  endContent: Schema.String,
  txns: Schema.Array(Schema.Struct({ patches: Patches }))
})

const forms = `{ kind: "concurrent", endContent, numAgents, txns: [{ parents, agent, patches }…] } or { startContent, endContent, txns: [{ patches }…] }, patches being [position, removed, inserted]`

/** Reads a file of either form. */
export const read = Effect.fn("Trace.read")(function* (file: string): Effect.fn.Return<Trace, TraceError> {
  const bytes = yield* Effect.tryPromise({
    try: () => readFile(file),
    catch: (cause) => unreadable(file, `it can't be read: ${String(cause)}`)
  })
  const isZipped = bytes[0] === 0x1f && bytes[1] === 0x8b
  const plain = isZipped
    ? yield* Effect.tryPromise({
        try: () => promisify(gunzip)(bytes),
        catch: (cause) => unreadable(file, `it can't be unzipped: ${String(cause)}`)
      })
    : bytes
  const json = Result.try({
    try: (): unknown => JSON.parse(plain.toString("utf8")),
    catch: (cause) => unreadable(file, `it is not JSON: ${String(cause)}`)
  })
  return yield* Effect.fromResult(Result.flatMap(json, (data) => decode(data, file)))
})

const unreadable = (where: string, what: string): TraceUnreadable =>
  new TraceUnreadable({ where, what, allowed: "a file of JSON, gzipped or not" })

/** `where` names the data in errors. */
export const decode = (data: unknown, where: string): Result.Result<Trace, TraceInvalid> => {
  const trace = isConcurrent(data) ? fromConcurrent(data, where) : fromSequential(data, where)
  return Result.flatMap(trace, (decoded) =>
    Option.match(wrong(decoded, where), {
      onNone: () => Result.succeed(decoded),
      onSome: Result.fail
    })
  )
}

const isConcurrent = (data: unknown): boolean => typeof data === "object" && data !== null && "kind" in data

const fromConcurrent = (data: unknown, where: string): Result.Result<Trace, TraceInvalid> => {
  const decoded = Schema.decodeUnknownResult(Concurrent)(data)
  if (Result.isFailure(decoded)) return Result.fail(invalid(where, decoded.failure))
  const { endContent, numAgents, txns } = decoded.success
  const stranger = txns.findIndex(({ agent }) => agent >= numAgents)
  if (stranger >= 0) {
    const what = `agent ${txns[stranger]!.agent}`
    return Result.fail(
      new TraceInvalid({ where: `${where}, txns[${stranger}]`, what, allowed: `0 to ${numAgents - 1}` })
    )
  }
  const transactions = txns.map(({ agent, parents, patches }) => ({
    author: agent,
    parents,
    patches: fromTuples(patches)
  }))
  return Result.succeed({ form: "concurrent", transactions, added: 0, end: endContent })
}

const fromSequential = (data: unknown, where: string): Result.Result<Trace, TraceInvalid> => {
  const decoded = Schema.decodeUnknownResult(Sequential)(data)
  if (Result.isFailure(decoded)) return Result.fail(invalid(where, decoded.failure))
  const { endContent, startContent, txns } = decoded.success
  const typed = txns.map(({ patches }) => fromTuples(patches))
  const added = startContent === "" ? 0 : 1
  const all = added === 0 ? typed : [[{ at: 0, remove: 0, insert: startContent }], ...typed]
  const transactions = all.map((patches, index) => ({ author: 0, parents: index === 0 ? [] : [index - 1], patches }))
  return Result.succeed({ form: "sequential", transactions, added, end: endContent })
}

const fromTuples = (patches: typeof Patches.Type): ReadonlyArray<Patch> =>
  patches.map(([at, remove, insert]) => ({ at, remove, insert }))

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

const invalid = (where: string, error: Schema.SchemaError): TraceInvalid => {
  const [first] = formatIssue(error.issue).issues
  const path = (first?.path ?? []).map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("")
  return new TraceInvalid({
    where: path === "" ? where : `${where}, ${path.replace(/^\./u, "")}`,
    what: first?.message ?? "it is no editing trace",
    allowed: forms
  })
}

/** What a form can't say: that parents come first, and that text is text. */
const wrong = ({ end, transactions }: Trace, where: string): Option.Option<TraceInvalid> => {
  const at = (place: string, what: string, allowed: string) =>
    Option.some(new TraceInvalid({ where: `${where}, ${place}`, what, allowed }))
  if (!end.isWellFormed()) return at("endContent", "it holds half of a surrogate pair", "well-formed text")
  for (const [index, { parents, patches }] of transactions.entries()) {
    const late = parents.find((parent) => parent >= index)
    if (late !== undefined) {
      return at(`txns[${index}].parents`, `parent ${late}`, index === 0 ? "none: it is the first" : `0 to ${index - 1}`)
    }
    if (patches.some(({ insert }) => !insert.isWellFormed())) {
      return at(`txns[${index}].patches`, "it inserts half of a surrogate pair", "well-formed text")
    }
  }
  return Option.none()
}
