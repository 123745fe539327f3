/**
 * Reads field types and value types from a definition's data, strictly: nothing unknown, nothing left out, no bound
 * that contradicts itself or the limits.
 *
 * Writing them needs no code: a type is its own data. A kind that this program does not know, of a field or of a value,
 * is told apart from a mistake: the entries of such a definition wait for a program that knows it.
 */
import * as Result from "effect/Result"
import type { Cbor } from "../Cbor.ts"
import type { Fields, FieldType } from "./Crdt.ts"
import * as Kinds from "./BuiltIn.ts"
import {
  alternativesMax,
  bytesLengthMax,
  fieldNameCharactersMax,
  fieldsMax,
  itemsMax,
  keyLengthMax,
  stringLengthMax,
  valueDepthMax
} from "./limits.ts"
import { isMap, isWellFormed, type Literal, type ValueType } from "./ValueType.ts"

/** A kind from a later version or a library that is not loaded: not wrong, only not understood here. */
export interface UnknownKind {
  readonly _tag: "UnknownKind"
  readonly at: string
  readonly kind: string
}

/** No type, in any version. */
export interface TypeMalformed {
  readonly _tag: "TypeMalformed"
  readonly at: string
  readonly what: string
}

export type TypeRefused = UnknownKind | TypeMalformed

/** Types are data already; this only says so, and leaves out what is undefined. */
export const fieldsToData = (fields: Fields): Cbor => toData(fields)

const toData = (value: unknown): Cbor => {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null)
    return value
  if (Array.isArray(value)) return value.map(toData)
  if (typeof value !== "object") throw new TypeError(`a field type holds ${typeof value}`)
  const data: { [key: string]: Cbor } = {}
  for (const [key, inner] of Object.entries(value)) if (inner !== undefined) data[key] = toData(inner)
  return data
}

/** All fields of a definition. */
export const fieldsFromData = (data: Cbor): Result.Result<Fields, TypeRefused> =>
  attempt(() => fields(data, "state", 0))

export const valueTypeFromData = (data: Cbor): Result.Result<ValueType, TypeRefused> =>
  attempt(() => valueType(data, "value", 0))

/** Whether `name` can be a field's: an ASCII letter, then letters, digits and `_`. */
export const isFieldName = (name: string): boolean =>
  name.length <= fieldNameCharactersMax && /^[A-Za-z][A-Za-z0-9_]*$/.test(name)

type Data = { readonly [key: string]: Cbor }

class Refusal {
  readonly refused: TypeRefused
  constructor(refused: TypeRefused) {
    this.refused = refused
  }
}

const attempt = <Type>(read: () => Type): Result.Result<Type, TypeRefused> => {
  try {
    return Result.succeed(read())
  } catch (cause) {
    if (cause instanceof Refusal) return Result.fail(cause.refused)
    throw cause
  }
}

const malformed = (at: string, what: string): never => {
  throw new Refusal({ _tag: "TypeMalformed", at, what })
}

const unknownKind = (at: string, kind: string): never => {
  throw new Refusal({ _tag: "UnknownKind", at, kind })
}

const fields = (data: Cbor | undefined, at: string, depth: number): Fields => {
  if (!isMap(data)) return malformed(at, "not a map of fields")
  const names = Object.keys(data)
  if (names.length === 0 || names.length > fieldsMax) return malformed(at, `not 1 to ${fieldsMax} fields`)
  const types: { [name: string]: FieldType } = {}
  for (const name of names) {
    if (!isFieldName(name)) return malformed(at, `${JSON.stringify(name.slice(0, 80))} can't be a field's name`)
    types[name] = fieldType(data[name], `${at}.${name}`, depth)
  }
  return types
}

const fieldType = (data: Cbor | undefined, at: string, depth: number): FieldType => {
  const [kind, map] = kindOf(data, at)
  const crdt = Kinds.find(kind)
  if (crdt === undefined) return unknownKind(at, kind)
  switch (crdt.parameters) {
    case "none":
      only(map, at, [])
      return { kind }
    case "value":
      only(map, at, ["value"])
      return { kind, value: valueType(map["value"], `${at}.value`, 0) }
    case "ordered": {
      only(map, at, ["value"])
      const value = valueType(map["value"], `${at}.value`, 0)
      const isOrdered = value.kind === "integer" || value.kind === "number" || value.kind === "string"
      return isOrdered ? { kind, value } : malformed(`${at}.value`, "not an integer, a number or a string")
    }
    case "fields":
      if (depth > 0) return malformed(at, `${kind} inside another record`)
      only(map, at, ["fields"])
      return { kind, fields: fields(map["fields"], `${at}.fields`, depth + 1) }
  }
}

const valueType = (data: Cbor | undefined, at: string, depth: number): ValueType => {
  if (depth >= valueDepthMax) return malformed(at, `nested deeper than ${valueDepthMax}`)
  const [kind, map] = kindOf(data, at)
  const inner = (name: string): ValueType => valueType(map[name], `${at}.${name}`, depth + 1)
  switch (kind) {
    case "boolean":
      only(map, at, [])
      return { kind }
    case "integer":
      only(map, at, ["min", "max"])
      return { kind, ...range(map, at, "min", "max", isSafeInteger) }
    case "number":
      only(map, at, ["min", "max", "above", "below"])
      return { kind, ...range(map, at, "min", "max", isNumber), ...range(map, at, "above", "below", isNumber) }
    case "string":
      only(map, at, ["minLength", "maxLength"])
      return { kind, ...range(map, at, "minLength", "maxLength", isUpTo(stringLengthMax)) }
    case "bytes":
      only(map, at, ["maxLength"])
      return { kind, ...range(map, at, undefined, "maxLength", isUpTo(bytesLengthMax)) }
    case "literals":
      only(map, at, ["values"])
      return { kind, values: literals(map["values"], at) }
    case "array":
      only(map, at, ["items", "minItems", "maxItems"])
      return { kind, items: inner("items"), ...range(map, at, "minItems", "maxItems", isUpTo(itemsMax)) }
    case "struct":
      only(map, at, ["fields", "optional"])
      return struct(map, at, depth)
    case "record":
      only(map, at, ["values", "maxKeys"])
      return { kind, values: inner("values"), ...range(map, at, undefined, "maxKeys", isUpTo(itemsMax)) }
    case "union": {
      only(map, at, ["members"])
      const members = listOf(map["members"], at, "members")
      return { kind, members: members.map((member, index) => valueType(member, `${at}.${index}`, depth + 1)) }
    }
    case "nullable":
      only(map, at, ["value"])
      return { kind, value: inner("value") }
    default:
      return unknownKind(at, kind)
  }
}

const struct = (map: Data, at: string, depth: number): ValueType => {
  const data = map["fields"]
  if (!isMap(data)) return malformed(at, "fields is not a map")
  const names = Object.keys(data)
  if (names.length > alternativesMax) return malformed(at, `more than ${alternativesMax} fields`)
  const types: { [name: string]: ValueType } = {}
  for (const name of names) {
    if (name === "__proto__" || name.length > keyLengthMax || !isWellFormed(name)) {
      return malformed(at, `${JSON.stringify(name.slice(0, 80))} can't be a key`)
    }
    types[name] = valueType(data[name], `${at}.${name.slice(0, 80)}`, depth + 1)
  }
  if (map["optional"] === undefined) return { kind: "struct", fields: types }
  const optional: Array<string> = []
  for (const name of listOf(map["optional"], at, "optional")) {
    if (typeof name !== "string" || !Object.hasOwn(types, name) || optional.includes(name)) {
      return malformed(at, "optional names something that is no field, or twice")
    }
    optional.push(name)
  }
  return { kind: "struct", fields: types, optional }
}

const literals = (data: Cbor | undefined, at: string): ReadonlyArray<Literal> => {
  const values: Array<Literal> = []
  for (const literal of listOf(data, at, "values")) {
    const isLiteral =
      literal === null || typeof literal === "string" || typeof literal === "number" || typeof literal === "boolean"
    if (!isLiteral) return malformed(at, "a literal that is no text, number, boolean or null")
    values.push(literal)
  }
  return values
}

const kindOf = (data: Cbor | undefined, at: string): readonly [kind: string, map: Data] => {
  if (!isMap(data)) return malformed(at, "not a map")
  const kind = data["kind"]
  if (typeof kind !== "string" || !isFieldName(kind)) return malformed(at, "kind is not a name")
  return [kind, data]
}

const only = (map: Data, at: string, allowed: ReadonlyArray<string>): void => {
  for (const key of Object.keys(map)) {
    if (key !== "kind" && !allowed.includes(key)) malformed(at, `unknown key ${JSON.stringify(key.slice(0, 80))}`)
  }
}

const listOf = (data: Cbor | undefined, at: string, name: string): ReadonlyArray<Cbor> =>
  Array.isArray(data) && data.length > 0 && data.length <= alternativesMax
    ? data
    : malformed(at, `${name} is not a list of 1 to ${alternativesMax}`)

const isNumber = (value: Cbor): value is number => typeof value === "number"
const isSafeInteger = (value: Cbor): value is number => Number.isSafeInteger(value)
const isUpTo =
  (most: number) =>
  (value: Cbor): value is number =>
    Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= most

/** The bounds that are there, each of the right form, the lower not above the upper. */
const range = <Low extends string, High extends string>(
  map: Data,
  at: string,
  low: Low | undefined,
  high: High,
  isBound: (value: Cbor) => value is number
): { readonly [name in Low | High]?: number } => {
  const bounds: { [name: string]: number } = {}
  for (const name of low === undefined ? [high] : [low, high]) {
    const bound = map[name]
    if (bound === undefined) continue
    if (!isBound(bound)) return malformed(at, `${name} is out of range`)
    bounds[name] = bound
  }
  if (low !== undefined && bounds[low] !== undefined && bounds[high] !== undefined && bounds[low] > bounds[high]) {
    return malformed(at, `${low} is above ${high}`)
  }
  return bounds as { readonly [name in Low | High]?: number }
}
