/**
 * The border between an application's values and stored ones: an Effect Schema gives the value type that receivers
 * judge by, and the functions that encode and decode where the two differ.
 *
 * The value type is derived from the schema's *encoded* side. What can be derived is what every device can check without
 * the schema: strings, numbers, booleans, literals, null, byte strings, structs, arrays, records and unions of these,
 * with bounds on length and size. Anything else (patterns, own filters, dates as such, recursion) is refused with its
 * path when the application is made: a check that only the author's code can make would bind nobody else.
 *
 * A schema without transformations costs nothing: values pass as they are (copied when composite, so that nobody can
 * alter state through an object he still holds).
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type { Cbor } from "../Cbor.ts"
import { freeze } from "./Element.ts"
import type { Literal, ValueType } from "./ValueType.ts"

/** A value type, and how an application's values of type `A` become stored ones and come back. */
export interface Border<A> {
  /** Throws when the schema can't be judged by others; `path` says where it stands. */
  readonly toType: (path: string) => ValueType
  /** Whether stored values are the application's values. */
  readonly isDirect: boolean
  /** Throws a SchemaError when the schema can't encode the value; what it gives is judged later like any other. */
  readonly encode: (value: A) => Cbor
  /**
   * The same object for the same stored value, so that what did not change compares equal. Undefined for a stored value
   * that the schema refuses: others judge the encoded side only, so a liar or another version may have put it there.
   */
  readonly decode: (stored: Cbor) => A | undefined
}

export const border = <A, Encoded>(schema: Schema.Codec<A, Encoded>): Border<A> => {
  const toType = (path: string): ValueType => fromAst(SchemaAST.toEncoded(schema.ast), path)
  // A codec's business: without a transformation the encoded value is the value.
  if (isDirect(schema.ast)) return { toType, isDirect: true, encode: copy, decode: (stored) => stored as A }
  const encode = Schema.encodeUnknownSync(schema)
  return {
    toType,
    isDirect: false,
    encode: (value) => copy(encode(value)),
    decode: remember(Schema.decodeUnknownOption(schema))
  }
}

/** The value type of a schema's encoded side. Throws a TypeError that names `path` and what is allowed. */
export const fromSchema = (schema: Schema.Top, path = "value"): ValueType =>
  fromAst(SchemaAST.toEncoded(schema.ast), path)

const allowed =
  "String, Number, Int (with isMinLength, isMaxLength, isBetweenLength, ranges), Boolean, Literal(s), Null, NullOr, " +
  "Uint8Array, Struct, Array, Record with string keys, Union, and schemas that encode to these"

const refuse = (path: string, what: string): never => {
  throw new TypeError(`${path}: ${what} can't be judged by other devices; allowed are ${allowed}`)
}

const fromAst = (ast: SchemaAST.AST, path: string): ValueType => {
  switch (ast._tag) {
    case "String":
      return { kind: "string", ...lengths(bounds(ast, path, lengthChecks), "minLength", "maxLength") }
    case "Number":
      return number(bounds(ast, path, numberChecks), path)
    case "Boolean":
      return unchecked(ast, path, { kind: "boolean" })
    case "Null":
      return unchecked(ast, path, { kind: "literals", values: [null] })
    case "Literal":
      if (typeof ast.literal === "bigint") return refuse(path, "a bigint literal")
      return unchecked(ast, path, { kind: "literals", values: [ast.literal] })
    case "Enum":
      return unchecked(ast, path, { kind: "literals", values: ast.enums.map(([, value]) => value) })
    case "Arrays": {
      const [items, ...further] = ast.rest
      if (ast.elements.length > 0 || items === undefined || further.length > 0) return refuse(path, "a tuple")
      const itemLengths = lengths(bounds(ast, path, lengthChecks), "minItems", "maxItems")
      return { kind: "array", items: fromAst(items, `${path}[]`), ...itemLengths }
    }
    case "Objects":
      return object(ast, path)
    case "Union":
      return unchecked(ast, path, union(ast.types, path))
    case "Declaration":
      if (representationOf(ast) === "effect/schema/Uint8Array") {
        const { maxLength } = bounds(ast, path, ["isMaxLength"])
        return maxLength === undefined ? { kind: "bytes" } : { kind: "bytes", maxLength }
      }
      return refuse(path, `a ${representationOf(ast)?.replace("effect/schema/", "") ?? "declared type"} as such`)
    default:
      return refuse(path, ast._tag)
  }
}

const object = (ast: SchemaAST.Objects, path: string): ValueType => {
  const [record, ...further] = ast.indexSignatures
  if (record !== undefined) {
    if (ast.propertySignatures.length > 0 || further.length > 0) return refuse(path, "a struct with further keys")
    if (record.parameter._tag !== "String" || record.parameter.checks !== undefined) {
      return refuse(path, "a record whose keys are not plain strings")
    }
    const { maxProperties } = bounds(ast, path, ["isMaxProperties"])
    const values = fromAst(record.type, `${path}{}`)
    return maxProperties === undefined ? { kind: "record", values } : { kind: "record", values, maxKeys: maxProperties }
  }
  const fields: { [name: string]: ValueType } = {}
  const optional: Array<string> = []
  for (const { name, type } of ast.propertySignatures) {
    if (typeof name !== "string" || name === "__proto__") return refuse(path, `the key ${String(name)}`)
    const isOptional = SchemaAST.isOptional(type)
    if (isOptional) optional.push(name)
    fields[name] = isOptional ? withoutUndefined(type, `${path}.${name}`) : fromAst(type, `${path}.${name}`)
  }
  return unchecked(ast, path, optional.length === 0 ? { kind: "struct", fields } : { kind: "struct", fields, optional })
}

/** `Schema.optional` allows undefined too, which is stored as absence. */
const withoutUndefined = (ast: SchemaAST.AST, path: string): ValueType =>
  ast._tag === "Union"
    ? union(
        ast.types.filter(({ _tag }) => _tag !== "Undefined"),
        path
      )
    : fromAst(ast, path)

const union = (types: ReadonlyArray<SchemaAST.AST>, path: string): ValueType => {
  const members = types.filter(({ _tag }) => _tag !== "Null").map((type) => fromAst(type, path))
  const isNullable = members.length < types.length
  const literals: Array<Literal> = isNullable ? [null] : []
  for (const member of members) if (member.kind === "literals") literals.push(...member.values)
  if (members.every(({ kind }) => kind === "literals")) return { kind: "literals", values: literals }
  const [only, ...further] = members
  const value: ValueType = only !== undefined && further.length === 0 ? only : { kind: "union", members }
  return isNullable ? { kind: "nullable", value } : value
}

const lengthChecks = ["isMinLength", "isMaxLength", "isBetweenLength"]
const numberChecks = [
  "isInt",
  "isFinite",
  "isBetween",
  "isGreaterThan",
  "isGreaterThanOrEqualTo",
  "isLessThan",
  "isLessThanOrEqualTo"
]

/** What the checks of a node say together: the tightest of each bound. */
type Bounds = { readonly [name: string]: number | undefined }

const bounds = (ast: SchemaAST.AST, path: string, known: ReadonlyArray<string>): Bounds => {
  const found: { [name: string]: number } = {}
  const collect = (checks: ReadonlyArray<SchemaAST.Check<never>>): void => {
    for (const check of checks) {
      const name = check.annotations?.representation?.id.replace("effect/schema/", "")
      if (check._tag === "FilterGroup" && name === undefined) {
        collect(check.checks)
        continue
      }
      if (name === undefined || !known.includes(name)) return refuse(path, `the check ${name ?? "of its own"}`)
      if (name === "isInt") found["integer"] = 1
      for (const [bound, value] of boundsIn(name, check.annotations?.representation?.payload)) {
        const before = found[bound]
        const isLower = bound === "minLength" || bound === "minimum" || bound === "exclusiveMinimum"
        found[bound] = before === undefined ? value : isLower ? Math.max(before, value) : Math.min(before, value)
      }
    }
  }
  collect(ast.checks ?? [])
  return found
}

/** `isBetweenLength` calls its bounds minimum and maximum; flags of `isBetween` say which are exclusive. */
const boundsIn = (check: string, payload: unknown): ReadonlyArray<readonly [string, number]> => {
  if (typeof payload !== "object" || payload === null) return []
  const all = new Map<string, unknown>(Object.entries(payload))
  const numbers: Array<readonly [string, number]> = []
  for (const [name, value] of all) {
    if (typeof value !== "number") continue
    const isLow = name === "minimum"
    const isExclusive = all.get(isLow ? "exclusiveMinimum" : "exclusiveMaximum") === true
    if (check === "isBetweenLength") numbers.push([isLow ? "minLength" : "maxLength", value])
    else if (isExclusive) numbers.push([isLow ? "exclusiveMinimum" : "exclusiveMaximum", value])
    else numbers.push([name, value])
  }
  return numbers
}

const lengths = <Low extends string, High extends string>(
  { minLength, maxLength }: Bounds,
  low: Low,
  high: High
): { readonly [name in Low | High]?: number } => {
  const named: { [name: string]: number } = {}
  if (minLength !== undefined) named[low] = minLength
  if (maxLength !== undefined) named[high] = maxLength
  return named as { readonly [name in Low | High]?: number }
}

const number = (found: Bounds, path: string): ValueType => {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = found
  if (found["integer"] === undefined) {
    return {
      kind: "number",
      ...(minimum === undefined ? {} : { min: minimum }),
      ...(maximum === undefined ? {} : { max: maximum }),
      ...(exclusiveMinimum === undefined ? {} : { above: exclusiveMinimum }),
      ...(exclusiveMaximum === undefined ? {} : { below: exclusiveMaximum })
    }
  }
  const least = [minimum, exclusiveMinimum === undefined ? undefined : Math.floor(exclusiveMinimum) + 1]
  const most = [maximum, exclusiveMaximum === undefined ? undefined : Math.ceil(exclusiveMaximum) - 1]
  const min = Math.max(...least.map((bound) => (bound === undefined ? Number.MIN_SAFE_INTEGER : Math.ceil(bound))))
  const max = Math.min(...most.map((bound) => (bound === undefined ? Number.MAX_SAFE_INTEGER : Math.floor(bound))))
  if (min > max) return refuse(path, "an integer range without an integer")
  return {
    kind: "integer",
    ...(min === Number.MIN_SAFE_INTEGER ? {} : { min }),
    ...(max === Number.MAX_SAFE_INTEGER ? {} : { max })
  }
}

const unchecked = (ast: SchemaAST.AST, path: string, type: ValueType): ValueType => {
  bounds(ast, path, [])
  return type
}

const representationOf = (ast: SchemaAST.Declaration): string | undefined => {
  const representation = ast.annotations?.["representation"]
  return typeof representation === "object" && representation !== null && "id" in representation
    ? String(representation.id)
    : undefined
}

/** Whether nothing inside transforms. */
const isDirect = (ast: SchemaAST.AST): boolean => {
  if (ast.encoding !== undefined) return false
  switch (ast._tag) {
    case "Arrays":
      return ast.elements.every(isDirect) && ast.rest.every(isDirect)
    case "Objects":
      return (
        ast.propertySignatures.every(({ type }) => isDirect(type)) &&
        ast.indexSignatures.every(({ type }) => isDirect(type))
      )
    case "Union":
      return ast.types.every(isDirect)
    case "Declaration":
      return ast.typeParameters.every(isDirect)
    default:
      return true
  }
}

/** A copy that nobody else holds, all the way down; absent where undefined, 0 for -0. Primitives pass. */
const copy = (value: unknown): Cbor => {
  if (typeof value !== "object" || value === null) return value === 0 ? 0 : (value as Cbor)
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return freeze(value.map(copy))
  const map: { [key: string]: Cbor } = {}
  for (const [key, inside] of Object.entries(value)) {
    if (inside === undefined) continue
    Object.defineProperty(map, key, { value: copy(inside), enumerable: true, configurable: true, writable: true })
  }
  return freeze(map)
}

/** Decoded primitives remembered at most; then all are forgotten, which costs identity, never correctness. */
const rememberedMax = 4096

const remember = <A>(decode: (stored: unknown) => Option.Option<A>): ((stored: Cbor) => A | undefined) => {
  const byObject = new WeakMap<object, Option.Option<A>>()
  const byPrimitive = new Map<Cbor, Option.Option<A>>()
  return (stored) => {
    const isObject = typeof stored === "object" && stored !== null
    const known = isObject ? byObject.get(stored) : byPrimitive.get(stored)
    if (known !== undefined) return Option.getOrUndefined(known)
    const decoded = decode(stored)
    if (isObject) byObject.set(stored, decoded)
    else {
      if (byPrimitive.size >= rememberedMax) byPrimitive.clear()
      byPrimitive.set(stored, decoded)
    }
    return Option.getOrUndefined(decoded)
  }
}
