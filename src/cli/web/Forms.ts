/**
 * The operations of an application as forms, as far as their payload is simple: texts, numbers, yes or no, choices.
 *
 * What a payload looks like is read off its JSON Schema. An operation whose writes-path binds a name to the records of
 * an ORMap (`tasks/{id}/done:set`), and whose payload has a text of that name, is offered at each record; every other
 * one at the top of the state. What does not fit in a form is left to the command line.
 */
import * as Schema from "effect/Schema"
import type * as App from "../../runtime/App.ts"

export interface Input {
  readonly name: string
  readonly kind: "text" | "number" | "checkbox" | "choice"
  readonly isRequired: boolean
  readonly charactersMax: number | undefined
  readonly choices: ReadonlyArray<string>
}

export interface Form {
  readonly operation: string
  readonly inputs: ReadonlyArray<Input>
  /** The map at whose records this is offered, and the input that takes the record's id (not among `inputs`). */
  readonly record: { readonly field: string; readonly input: string } | undefined
}

export const formsOf = (app: App.AnyApp): ReadonlyArray<Form> =>
  Object.entries<App.AnyOperation<never>>(app.operations).flatMap(([operation, { payload, writes }]) => {
    const inputs = inputsOf(payload)
    if (inputs === undefined) return []
    const record = recordOf(writes, inputs)
    return [{ operation, inputs: inputs.filter(({ name }) => name !== record?.input), record }]
  })

/** Undefined when something that has to be given does not fit in a form. */
const inputsOf = (payload: Schema.Top): ReadonlyArray<Input> | undefined => {
  const { schema } = Schema.toJsonSchemaDocument(payload)
  if (schema["type"] !== "object") return undefined
  const required = new Set(listOf(schema["required"]))
  const inputs: Array<Input> = []
  for (const [name, property] of Object.entries(recordIn(schema["properties"]))) {
    const input = inputOf(name, recordIn(property), required.has(name))
    if (input !== undefined) inputs.push(input)
    else if (required.has(name)) return undefined
  }
  return inputs
}

const inputOf = (name: string, property: Readonly<Record<string, unknown>>, isRequired: boolean): Input | undefined => {
  const choices = listOf(property["enum"])
  const charactersMax = typeof property["maxLength"] === "number" ? property["maxLength"] : undefined
  const common = { name, isRequired, charactersMax, choices }
  switch (property["type"]) {
    case "string":
      return { ...common, kind: choices.length > 0 ? "choice" : "text" }
    case "number":
    case "integer":
      return { ...common, kind: "number" }
    case "boolean":
      return { ...common, kind: "checkbox" }
    default:
      return undefined
  }
}

const recordOf = (writes: ReadonlyArray<string>, inputs: ReadonlyArray<Input>): Form["record"] => {
  for (const path of writes) {
    const bound = /^([A-Za-z][A-Za-z0-9_]*)\/\{([a-z]+)\}(?=[/:])/u.exec(path)
    const [, field, input] = bound ?? []
    if (
      field !== undefined &&
      input !== undefined &&
      inputs.some(({ kind, name }) => name === input && kind === "text")
    )
      return { field, input }
  }
  return undefined
}

const recordIn = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}

const listOf = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((one: unknown) => typeof one === "string") : []
