/**
 * What an application is, as data: its fields and its operations, with what each may write and what it asks for.
 *
 * Validity of everyone's entries follows from it, so it stands in the journal (`aura.app.define`), is named by its hash
 * in every entry, and never depends on code. Version 1: the deterministic CBOR of
 *
 *     {v: 1, app, version, fields: {name: field type}, operations: {type: {writes: [path…], capabilities: [text…],
 *      resource: text | null}}}
 *
 * DefinitionId = SHA-256("aura/definition/v1" NUL ‖ those bytes). Field types: journal/crdt/TypeData.ts; writes-paths:
 * journal/crdt/Writes.ts. `resource` is appended to each capability, with `{name}` bound by the paths: an operation
 * with capability `task:write` and resource `tasks/{id}` on task 7 needs `task:write/tasks/7`. A definition with a field
 * of a kind this version does not know is kept; its entries wait for a version that does.
 */
import * as Result from "effect/Result"
import { domain, hash } from "../identity/Hash.ts"
import { definitionId, type DefinitionId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import type { Fields } from "../journal/crdt/Crdt.ts"
import * as TypeData from "../journal/crdt/TypeData.ts"
import * as Writes from "../journal/crdt/Writes.ts"
import { isFactType } from "../journal/Entry.ts"
import { isAppName } from "../journal/Genesis.ts"
import { isCapability, type Capability } from "./Capability.ts"
import { definitionBytesMax, definitionFieldsMax, definitionOperationsMax, operationPathsMax } from "./limits.ts"

export interface Operation {
  readonly type: string
  readonly writes: ReadonlyArray<Writes.WritesPattern>
  readonly capabilities: ReadonlyArray<Capability>
  readonly resource: string | undefined
}

export interface Definition {
  readonly id: DefinitionId
  readonly bytes: Uint8Array
  readonly app: string
  readonly version: number
  /** Empty while `unknownKind` is set. */
  readonly fields: Fields
  readonly operations: ReadonlyMap<string, Operation>
  /** A kind of field that this version of Aura can't join. */
  readonly unknownKind: string | undefined
}

export interface DefinitionMalformed {
  readonly _tag: "DefinitionMalformed"
  readonly what: string
}

/** What an application says of itself. */
export interface Source {
  readonly app: string
  readonly version: number
  readonly fields: Fields
  readonly operations: Readonly<
    Record<
      string,
      {
        readonly writes: ReadonlyArray<string>
        readonly capabilities: ReadonlyArray<string>
        readonly resource: string | undefined
      }
    >
  >
}

const definitionDomain = domain("aura/definition/v1")

/** Encodes what an application says; what can't be a definition is refused with the reason. */
export const make = (source: Source): Result.Result<Definition, DefinitionMalformed> => {
  const operations: Record<string, Cbor.Cbor> = {}
  for (const [type, { capabilities, resource, writes }] of Object.entries(source.operations)) {
    operations[type] = { writes, capabilities, resource: resource ?? null }
  }
  const fields = TypeData.fieldsToData(source.fields)
  return decode(Cbor.encode({ v: 1, app: source.app, version: source.version, fields, operations }))
}

export const decode = (bytes: Uint8Array): Result.Result<Definition, DefinitionMalformed> => {
  if (bytes.length > definitionBytesMax) return malformed(`longer than ${definitionBytesMax} bytes`)
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  const map = decoded.success
  if (!isMap(map) || Object.keys(map).sort().join() !== "app,fields,operations,v,version")
    return malformed("not {app, fields, operations, v, version}")
  if (map["v"] !== 1) return malformed(`version ${String(map["v"])} of the format, this reader knows 1`)
  const app = map["app"]
  if (!isAppName(app)) return malformed("app is no application name: lower-case letters, digits and -, at most 64")
  const version = map["version"]
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1)
    return malformed("version is no positive integer")
  const fieldData = map["fields"]
  if (!isMap(fieldData) || Object.keys(fieldData).length > definitionFieldsMax)
    return malformed(`fields is no map of at most ${definitionFieldsMax}`)
  const fields = TypeData.fieldsFromData(fieldData)
  if (Result.isFailure(fields) && fields.failure._tag === "TypeMalformed")
    return malformed(`${fields.failure.at}: ${fields.failure.what}`)
  const operations = readOperations(map["operations"])
  if (Result.isFailure(operations)) return malformed(operations.failure)
  return Result.succeed({
    id: definitionId(hash(definitionDomain, bytes)),
    bytes,
    app,
    version,
    fields: Result.isSuccess(fields) ? fields.success : {},
    operations: operations.success,
    unknownKind: Result.isFailure(fields) && fields.failure._tag === "UnknownKind" ? fields.failure.kind : undefined
  })
}

const readOperations = (data: Cbor.Cbor | undefined): Result.Result<ReadonlyMap<string, Operation>, string> => {
  if (!isMap(data) || Object.keys(data).length > definitionOperationsMax)
    return Result.fail(`operations is no map of at most ${definitionOperationsMax}`)
  const operations = new Map<string, Operation>()
  for (const [type, value] of Object.entries(data)) {
    if (!isFactType(type) || type.startsWith("aura.")) return Result.fail(`"${type}" is no operation type`)
    if (!isMap(value) || Object.keys(value).sort().join() !== "capabilities,resource,writes")
      return Result.fail(`${type} is not {capabilities, resource, writes}`)
    const { capabilities, resource, writes } = value
    if (!isTexts(writes)) return Result.fail(`${type}: writes is no list of at most ${operationPathsMax} paths`)
    if (!isTexts(capabilities) || !capabilities.every(isCapability))
      return Result.fail(`${type}: capabilities is no list of capabilities`)
    if (resource !== null && typeof resource !== "string") return Result.fail(`${type}: resource is no text`)
    const patterns: Array<Writes.WritesPattern> = []
    for (const path of writes) {
      const pattern = Writes.parse(path)
      if (Result.isFailure(pattern)) return Result.fail(`${type}: ${pattern.failure}`)
      patterns.push(pattern.success)
    }
    operations.set(type, { type, writes: patterns, capabilities, resource: resource ?? undefined })
  }
  return Result.succeed(operations)
}

const isTexts = (value: Cbor.Cbor | undefined): value is ReadonlyArray<string> & Array<string> =>
  Array.isArray(value) && value.length <= operationPathsMax && value.every((item: unknown) => typeof item === "string")

const isMap = (value: Cbor.Cbor | undefined): value is { readonly [key: string]: Cbor.Cbor } =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

const malformed = (what: string): Result.Result<never, DefinitionMalformed> =>
  Result.fail({ _tag: "DefinitionMalformed", what: `application definition: ${what}` })
