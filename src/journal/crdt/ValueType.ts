/**
 * What a value may be, as data: so that every device can judge the values of an application whose code it never had.
 *
 * A value type is part of a definition in the journal. The set is closed, and nothing in it depends on the JavaScript
 * engine (no patterns, no locale), because whether a change is valid must be decided alike everywhere, for ever:
 *
 *     {kind: "boolean"}
 *     {kind: "integer", min?, max?}                  safe integers
 *     {kind: "number", min?, max?, above?, below?}   finite; if it has no fraction, a safe integer
 *     {kind: "string", minLength?, maxLength?}       UTF-16 code units; well formed
 *     {kind: "bytes", maxLength?}
 *     {kind: "literals", values}                     strings, numbers, booleans, null
 *     {kind: "array", items, minItems?, maxItems?}
 *     {kind: "struct", fields, optional?}            unknown keys are refused
 *     {kind: "record", values, maxKeys?}
 *     {kind: "union", members}
 *     {kind: "nullable", value}
 *
 * It says nothing of application types (dates, classes): those are made from values at the application's border
 * (ValueSchema.ts). How a definition's bytes become a value type is TypeData.ts.
 */
import type { Cbor } from "../Cbor.ts"
import { bytesLengthMax, itemsMax, keyLengthMax, stringLengthMax } from "./limits.ts"

export type ValueType =
  | { readonly kind: "boolean" }
  | { readonly kind: "integer"; readonly min?: number; readonly max?: number }
  | {
      readonly kind: "number"
      readonly min?: number
      readonly max?: number
      readonly above?: number
      readonly below?: number
    }
  | { readonly kind: "string"; readonly minLength?: number; readonly maxLength?: number }
  | { readonly kind: "bytes"; readonly maxLength?: number }
  | { readonly kind: "literals"; readonly values: ReadonlyArray<Literal> }
  | { readonly kind: "array"; readonly items: ValueType; readonly minItems?: number; readonly maxItems?: number }
  | {
      readonly kind: "struct"
      readonly fields: { readonly [name: string]: ValueType }
      readonly optional?: ReadonlyArray<string>
    }
  | { readonly kind: "record"; readonly values: ValueType; readonly maxKeys?: number }
  | { readonly kind: "union"; readonly members: ReadonlyArray<ValueType> }
  | { readonly kind: "nullable"; readonly value: ValueType }

export type Literal = string | number | boolean | null

/** Why `value` is none of `type`, with the place inside it; undefined when it is one. */
export const check = (type: ValueType, value: Cbor): string | undefined => {
  const fault = find(type, value)
  if (fault === undefined) return undefined
  return fault.path === "" ? fault.what : `at ${fault.path.replace(/^\./, "")}: ${fault.what}`
}

interface Fault {
  readonly path: string
  readonly what: string
}

const find = (type: ValueType, value: Cbor): Fault | undefined => {
  switch (type.kind) {
    case "boolean":
      return typeof value === "boolean" ? undefined : fault("not a boolean")
    case "integer":
      if (!Number.isSafeInteger(value)) return fault("not a safe integer")
      return outside(Number(value), type.min, type.max)
    case "number":
      return findInNumber(type, value)
    case "string":
      if (typeof value !== "string") return fault("not a string")
      if (!isWellFormed(value)) return fault("a string with half of a surrogate pair")
      return outside(value.length, type.minLength, type.maxLength ?? stringLengthMax, "length ")
    case "bytes":
      if (!(value instanceof Uint8Array)) return fault("not bytes")
      return outside(value.length, undefined, type.maxLength ?? bytesLengthMax, "length ")
    case "literals":
      for (const literal of type.values) if (literal === value) return undefined
      return fault(`none of ${type.values.map((literal) => JSON.stringify(literal)).join(", ")}`)
    case "array":
      return findInArray(type, value)
    case "struct":
      return findInStruct(type, value)
    case "record":
      return findInRecord(type, value)
    case "union":
      for (const member of type.members) if (find(member, value) === undefined) return undefined
      return fault(`none of the ${type.members.length} alternatives`)
    case "nullable":
      return value === null ? undefined : find(type.value, value)
  }
}

const findInNumber = (type: Extract<ValueType, { kind: "number" }>, value: Cbor): Fault | undefined => {
  if (typeof value !== "number" || !Number.isFinite(value)) return fault("not a finite number")
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return fault("an integer that is not safe")
  if (type.above !== undefined && value <= type.above) return fault(`${value} is not above ${type.above}`)
  if (type.below !== undefined && value >= type.below) return fault(`${value} is not below ${type.below}`)
  return outside(value, type.min, type.max)
}

const findInArray = (type: Extract<ValueType, { kind: "array" }>, value: Cbor): Fault | undefined => {
  if (!Array.isArray(value)) return fault("not an array")
  const items = value as ReadonlyArray<Cbor>
  const wrong = outside(items.length, type.minItems, type.maxItems ?? itemsMax, "length ")
  if (wrong !== undefined) return wrong
  for (let index = 0; index < items.length; index++) {
    const inside = find(type.items, items[index]!)
    if (inside !== undefined) return below(`[${index}]`, inside)
  }
  return undefined
}

const findInStruct = (type: Extract<ValueType, { kind: "struct" }>, value: Cbor): Fault | undefined => {
  if (!isMap(value)) return fault("not a map")
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(type.fields, name)) return fault(`unknown key ${JSON.stringify(name.slice(0, 40))}`)
  }
  for (const name of Object.keys(type.fields)) {
    if (!Object.hasOwn(value, name)) {
      if (type.optional?.includes(name) === true) continue
      return fault(`${name} is missing`)
    }
    const inside = find(type.fields[name]!, value[name]!)
    if (inside !== undefined) return below(`.${name}`, inside)
  }
  return undefined
}

const findInRecord = (type: Extract<ValueType, { kind: "record" }>, value: Cbor): Fault | undefined => {
  if (!isMap(value)) return fault("not a map")
  const keys = Object.keys(value)
  const wrong = outside(keys.length, undefined, type.maxKeys ?? itemsMax, "number of keys ")
  if (wrong !== undefined) return wrong
  for (const key of keys) {
    if (!isWellFormed(key)) return fault("a key with half of a surrogate pair")
    if (key.length > keyLengthMax) return fault(`a key longer than ${keyLengthMax}`)
    const inside = find(type.values, value[key]!)
    if (inside !== undefined) return below(`.${key.slice(0, 40)}`, inside)
  }
  return undefined
}

export const isMap = (value: unknown): value is { readonly [key: string]: Cbor } =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

/** Text of a key or id: 1 to `keyLengthMax` code units, well formed. */
export const isKey = (value: unknown): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= keyLengthMax && isWellFormed(value)

/** Whether text can be encoded: no surrogate in it stands alone. */
export const isWellFormed = (text: string): boolean => text.isWellFormed()

const fault = (what: string): Fault => ({ path: "", what })

const below = (step: string, { path, what }: Fault): Fault => ({ path: step + path, what })

const outside = (size: number, min: number | undefined, max: number | undefined, what = ""): Fault | undefined => {
  if (min !== undefined && size < min) return fault(`${what}${size} is below ${min}`)
  if (max !== undefined && size > max) return fault(`${what}${size} is above ${max}`)
  return undefined
}
