/**
 * What an application is, as data: its fields, its operations with what each may write and what it asks for, its roles.
 *
 * Validity of everyone's entries follows from it, so it stands in the journal (`aura.app.define`), is named by its hash
 * in every entry, and never depends on code. Version 1 is the deterministic CBOR of
 *
 *     {v: 1, app, version, fields: {name: field type}, operations: {type: {writes: [path…], capabilities: [text…],
 *      resource: text | null}}}
 *
 * and means that all of these capabilities are demanded. Version 2 says more, and is written where more is said:
 *
 *     {v: 2, app, version, fields, operations: {type: {writes, resource, policy (trust/Policy.ts), cost}},
 *      roles: {name: [{capability, depth}…]}}
 *
 * `cost` = units of flow that sending an entry of this operation costs beyond its bytes. A role is a bundle of
 * capabilities for people to give in one word; whoever gives it grants what it holds then.
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
import {
  costMax,
  definitionBytesMax,
  definitionFieldsMax,
  definitionOperationsMax,
  definitionRolesMax,
  grantDepthMax,
  grantRightsMax,
  operationPathsMax
} from "./limits.ts"
import * as Payload from "./Payload.ts"
import * as Policy from "./Policy.ts"

export interface Operation {
  readonly type: string
  readonly writes: ReadonlyArray<Writes.WritesPattern>
  readonly policy: Policy.Policy
  readonly resource: string | undefined
  /** Units of flow, beyond those for bytes. */
  readonly cost: number
}

/** A capability that a role holds, and how often who has it may pass it on. */
export interface RoleRight {
  readonly capability: Capability
  readonly depth: number
}

export interface Definition {
  readonly id: DefinitionId
  readonly bytes: Uint8Array
  readonly app: string
  readonly version: number
  /** Empty while `unknownKind` is set. */
  readonly fields: Fields
  readonly operations: ReadonlyMap<string, Operation>
  readonly roles: ReadonlyMap<string, ReadonlyArray<RoleRight>>
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
        readonly policy: Policy.Policy
        readonly resource: string | undefined
        readonly cost?: number
      }
    >
  >
  readonly roles?: Readonly<Record<string, ReadonlyArray<RoleRight>>>
}

const definitionDomain = domain("aura/definition/v1")

/** Encodes what an application says; what can't be a definition is refused with the reason. */
export const make = ({
  app,
  roles = {},
  version,
  ...source
}: Source): Result.Result<Definition, DefinitionMalformed> => {
  const fields = TypeData.fieldsToData(source.fields)
  const operations = Object.entries(source.operations)
  const isPlain =
    Object.keys(roles).length === 0 &&
    operations.every(([, { cost = 0, policy }]) => cost === 0 && Policy.plainCapabilities(policy) !== undefined)
  const inVersion1: Record<string, Cbor.Cbor> = {}
  const inVersion2: Record<string, Cbor.Cbor> = {}
  for (const [type, { cost = 0, policy, resource = null, writes }] of operations) {
    if (isPlain) inVersion1[type] = { writes, capabilities: Policy.plainCapabilities(policy) ?? [], resource }
    else inVersion2[type] = { writes, resource, policy: Policy.shape.write(policy), cost }
  }
  if (isPlain) return decode(Cbor.encode({ v: 1, app, version, fields, operations: inVersion1 }))
  const rolesData = Object.fromEntries(Object.entries(roles).map(([name, rights]) => [name, role.write(rights)]))
  return decode(Cbor.encode({ v: 2, app, version, fields, operations: inVersion2, roles: rolesData }))
}

const role = Payload.list(
  Payload.map<RoleRight>({ capability: Payload.capability, depth: Payload.integer(0, grantDepthMax) }),
  1,
  grantRightsMax
)

export const decode = (bytes: Uint8Array): Result.Result<Definition, DefinitionMalformed> => {
  if (bytes.length > definitionBytesMax) return malformed(`longer than ${definitionBytesMax} bytes`)
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  const map = decoded.success
  if (!isMap(map)) return malformed("not a map")
  const format = map["v"]
  if (format !== 1 && format !== 2)
    return malformed(`version ${String(format)} of the format, this reader knows 1 and 2`)
  const keys = `app,fields,operations,${format === 1 ? "" : "roles,"}v,version`
  if (Object.keys(map).sort().join() !== keys) return malformed(`not {${keys.replaceAll(",", ", ")}}`)
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
  const operations = readOperations(map["operations"], format)
  if (Result.isFailure(operations)) return malformed(operations.failure)
  const roles = readRoles(map["roles"] ?? {})
  if (Result.isFailure(roles)) return malformed(roles.failure)
  return Result.succeed({
    id: definitionId(hash(definitionDomain, bytes)),
    bytes,
    app,
    version,
    fields: Result.isSuccess(fields) ? fields.success : {},
    operations: operations.success,
    roles: roles.success,
    unknownKind: Result.isFailure(fields) && fields.failure._tag === "UnknownKind" ? fields.failure.kind : undefined
  })
}

const readOperations = (
  data: Cbor.Cbor | undefined,
  format: 1 | 2
): Result.Result<ReadonlyMap<string, Operation>, string> => {
  if (!isMap(data) || Object.keys(data).length > definitionOperationsMax)
    return Result.fail(`operations is no map of at most ${definitionOperationsMax}`)
  const operations = new Map<string, Operation>()
  for (const [type, value] of Object.entries(data)) {
    if (!isFactType(type) || type.startsWith("aura.")) return Result.fail(`"${type}" is no operation type`)
    const read = format === 1 ? readPlainOperation(type, value) : readOperation(type, value)
    if (typeof read === "string") return Result.fail(`${type}: ${read}`)
    operations.set(type, read)
  }
  return Result.succeed(operations)
}

const readPlainOperation = (type: string, value: Cbor.Cbor): Operation | string => {
  if (!isMap(value) || Object.keys(value).sort().join() !== "capabilities,resource,writes")
    return "not {capabilities, resource, writes}"
  const { capabilities } = value
  if (!isTexts(capabilities) || !capabilities.every(isCapability)) return "capabilities is no list of capabilities"
  return readPaths(type, value, Policy.make({ capabilities }), 0)
}

const readOperation = (type: string, value: Cbor.Cbor): Operation | string => {
  if (!isMap(value) || Object.keys(value).sort().join() !== "cost,policy,resource,writes")
    return "not {cost, policy, resource, writes}"
  const policy = Policy.shape.read(value["policy"]!)
  if (policy instanceof Payload.Misfit) return `policy ${policy.what}`
  const cost = costShape.read(value["cost"]!)
  return cost instanceof Payload.Misfit ? `cost ${cost.what}` : readPaths(type, value, policy, cost)
}

const costShape = Payload.integer(0, costMax)

const readPaths = (
  type: string,
  { resource, writes }: { readonly [key: string]: Cbor.Cbor },
  policy: Policy.Policy,
  cost: number
): Operation | string => {
  if (!isTexts(writes)) return `writes is no list of at most ${operationPathsMax} paths`
  if (resource !== null && typeof resource !== "string") return "resource is no text"
  const patterns: Array<Writes.WritesPattern> = []
  for (const path of writes) {
    const pattern = Writes.parse(path)
    if (Result.isFailure(pattern)) return pattern.failure
    patterns.push(pattern.success)
  }
  return { type, writes: patterns, policy, resource: resource ?? undefined, cost }
}

const readRoles = (data: Cbor.Cbor): Result.Result<Definition["roles"], string> => {
  if (!isMap(data) || Object.keys(data).length > definitionRolesMax)
    return Result.fail(`roles is no map of at most ${definitionRolesMax}`)
  const roles = new Map<string, ReadonlyArray<RoleRight>>()
  for (const [name, value] of Object.entries(data)) {
    if (!isAppName(name)) return Result.fail(`"${name}" is no name of a role: lower-case letters, digits and -`)
    const rights = role.read(value)
    if (rights instanceof Payload.Misfit) return Result.fail(`role ${name} ${rights.what}`)
    roles.set(name, rights)
  }
  return Result.succeed(roles)
}

const isTexts = (value: Cbor.Cbor | undefined): value is ReadonlyArray<string> & Array<string> =>
  Array.isArray(value) && value.length <= operationPathsMax && value.every((item: unknown) => typeof item === "string")

const isMap = (value: Cbor.Cbor | undefined): value is { readonly [key: string]: Cbor.Cbor } =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

const malformed = (what: string): Result.Result<never, DefinitionMalformed> =>
  Result.fail({ _tag: "DefinitionMalformed", what: `application definition: ${what}` })
