/**
 * An application: its state as replicated fields, its operations, and what each of them asks for.
 *
 *     const app = App.make("tasks", {
 *       version: 1,
 *       state: { tasks: ORMap({ title: LWWRegister(Schema.String), done: LWWRegister(Schema.Boolean) }) },
 *       operations: (operation) => ({
 *         add: operation({
 *           payload: Schema.Struct({ title: Schema.String }),
 *           writes: ["tasks/{new}:put"],
 *           policy: Policy.make({ capabilities: ["task:write"] }),
 *           plan: ({ tasks }, { title }, { newId }) => {
 *             const id = newId()
 *             return { changes: [tasks.put(id, { title, done: false })], result: id }
 *           }
 *         })
 *       })
 *     })
 *
 * A plan is pure: it reads drafts of the state and returns changes, or refuses with an error of its own. What others
 * may judge is the definition that follows from all this as data; the code stays here. `add` is on the wire `tasks.add`.
 */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { DeviceId } from "../identity/Id.ts"
import type { Cbor } from "../journal/Cbor.ts"
import type { Change, Fields } from "../journal/crdt/Crdt.ts"
import { typesOf, type DraftOf, type ReadOf, type StateFields } from "../journal/crdt/Field.ts"
import { capability } from "../trust/Capability.ts"
import * as Definition from "../trust/Definition.ts"
import type { Policy } from "../trust/Policy.ts"

/** What a plan is given besides state and payload. */
export interface PlanTools {
  /** A new id, unique and accepted by `{new}` in a writes-path; at most 64 per operation. */
  readonly newId: () => string
  /** The device on whose behalf this is. */
  readonly self: DeviceId
}

/** What an operation changes and answers. */
export interface Plan<Answer> {
  readonly changes: ReadonlyArray<Change>
  readonly result: Answer
}

/** The operation says no, with an error of the application's own. Nothing is written. */
export interface Refused<Error> {
  readonly refused: Error
}

export const refuse = <Error>(error: Error): Refused<Error> => ({ refused: error })

/** Answers are plain data: they are kept for repeats of the same request. */
export type Answer = Cbor | undefined

export interface OperationSource<Of extends StateFields, Payload, Encoded, Result extends Answer, Error> {
  readonly payload: Schema.Codec<Payload, Encoded>
  /** Paths with mutators that this may touch, e.g. `tasks/{id}/done:set` (journal/crdt/Writes.ts). */
  readonly writes: ReadonlyArray<string>
  readonly policy: Policy
  /** What the policy's capabilities are asked for, e.g. `tasks/{id}`, bound by the writes-paths. */
  readonly resource?: string
  /** Units of flow that sending an entry of it costs beyond its bytes. */
  readonly cost?: number
  readonly plan: (drafts: DraftOf<Of>, payload: Payload, tools: PlanTools) => Plan<Result> | Refused<Error>
}

export interface Operation<
  Of extends StateFields,
  Payload,
  Encoded,
  Result extends Answer,
  Error
> extends OperationSource<Of, Payload, Encoded, Result, Error> {
  readonly _tag: "Operation"
}

// the field types of an operation's app are fixed by `make`; here only its own matter
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyOperation<Of extends StateFields> = Operation<Of, any, any, any, any>

/** Names an operation of an app with these fields, so that drafts are typed. */
export type Define<Of extends StateFields> = <Payload, Encoded, Result extends Answer = undefined, Error = never>(
  source: OperationSource<Of, Payload, Encoded, Result, Error>
) => Operation<Of, Payload, Encoded, Result, Error>

export interface App<Of extends StateFields, Operations extends Record<string, AnyOperation<Of>>> {
  readonly _tag: "App"
  readonly name: string
  readonly state: Of
  readonly types: Fields
  readonly operations: Operations
  readonly definition: Definition.Definition
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyApp = App<any, any>

/** What is read of an app's state. */
export type StateOf<Of> = Of extends App<infer Fields, infer _> ? ReadOf<Fields> : never

/** Names of an app's operations. */
export type OperationName<Of extends AnyApp> = keyof Of["operations"] & string

type OperationOf<Of extends AnyApp, Name extends OperationName<Of>> = Of["operations"][Name]

export type PayloadOf<Of extends AnyApp, Name extends OperationName<Of>> =
  OperationOf<Of, Name> extends Operation<infer _F, infer Payload, infer _E, infer _R, infer _X> ? Payload : never

export type ResultOf<Of extends AnyApp, Name extends OperationName<Of>> =
  OperationOf<Of, Name> extends Operation<infer _F, infer _P, infer _E, infer Result, infer _X> ? Result : never

export type ErrorOf<Of extends AnyApp, Name extends OperationName<Of>> =
  OperationOf<Of, Name> extends Operation<infer _F, infer _P, infer _E, infer _R, infer Error> ? Error : never

/** Throws a TypeError that names the place and what is allowed: an application that can't be defined must not start. */
export const make = <const Of extends StateFields, Operations extends Record<string, AnyOperation<Of>>>(
  name: string,
  source: {
    readonly version: number
    readonly state: Of
    readonly operations: (operation: Define<Of>) => Operations
    /** Bundles of capabilities that people give in one word. Everybody who is to take part needs `space:read`. */
    readonly roles?: Readonly<Record<string, RoleSource>>
  }
): App<Of, Operations> => {
  const operations = source.operations((operation) => ({ _tag: "Operation", ...operation }))
  const types = typesOf(source.state)
  const definition = Definition.make({
    app: name,
    version: source.version,
    fields: types,
    operations: Object.fromEntries(
      Object.entries(operations).map(([operation, { cost = 0, policy, resource, writes }]) => [
        typeOf(name, operation),
        { writes, policy, resource, cost }
      ])
    ),
    roles: Object.fromEntries(Object.entries(source.roles ?? {}).map(([role, said]) => [role, rightsOf(said)]))
  })
  if (Result.isFailure(definition)) throw new TypeError(`App.make("${name}"): ${definition.failure.what}`)
  return { _tag: "App", name, state: source.state, types, operations, definition: definition.success }
}

/** What a role holds; `depth` = how often who has it may pass it on (0: not at all). */
export interface RoleSource {
  readonly can: ReadonlyArray<string>
  readonly depth?: number
}

const rightsOf = ({ can, depth = 0 }: RoleSource): ReadonlyArray<Definition.RoleRight> =>
  can.map((text) => ({ capability: capability(text), depth }))

/** An operation's type in facts, metrics and on the wire. */
export const typeOf = (app: string, operation: string): string => `${app}.${operation}`

export const isApp = (value: unknown): value is AnyApp =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "App" && "definition" in value
