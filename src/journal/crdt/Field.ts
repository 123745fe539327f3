/**
 * The fields of an application's state, as its author writes them down:
 *
 *     { tasks: ORMap({ title: LWWRegister(Schema.String), done: LWWRegister(Schema.Boolean) }), likes: GCounter() }
 *
 * From one such record follow the definition's data that every device judges by (`typesOf`), the types of what is read
 * (`ReadOf`) and of what operations are handed to plan with (`DraftOf`). Schemas stay here: nothing stored, sent or
 * judged knows them.
 */
import type * as Schema from "effect/Schema"
import type { FeedId } from "../../identity/Id.ts"
import type { BlobRef } from "../Blob.ts"
import type { Cbor } from "../Cbor.ts"
import type { Fields, FieldType } from "./Crdt.ts"
import {
  changeAt,
  dotsAt,
  peekAt,
  type CounterDraft,
  type GSetDraft,
  type LWWMapDraft,
  type MVRegisterDraft,
  type ORMapDraft,
  type ORSetDraft,
  type RegisterDraft,
  type Site
} from "./Draft.ts"
import { layoutOf } from "./Layout.ts"
import type { Shown, State } from "./State.ts"
import { isFieldName } from "./TypeData.ts"
import { border } from "./ValueSchema.ts"
import { mapElements, mapValues, type MapView, type SetView } from "./Views.ts"

/**
 * A field that reads as `Value`, is changed through a `Draft` and, if it can be set by an ORMap's `put`, set to an
 * `Initial`.
 */
export interface Field<out Value, out Draft, in Initial = never> {
  /** Throws a TypeError that names the path and what is allowed. */
  readonly toType: (path: string) => FieldType
  /** From what is stored to what the application sees; the same object for the same object. */
  readonly show: (stored: unknown) => Value
  /** Whether `show` gives back what it is given. */
  readonly isDirect: boolean
  readonly draft: (site: Site) => Draft
  /** A draft remembers what was drafted with it, so that it serves one plan only. */
  readonly isForOnePlan?: true
  readonly toInitial: ((value: Initial) => Cbor) | undefined
}

export interface StateFields {
  readonly [name: string]: Field<unknown, unknown>
}

/** What is read of the fields. */
export type ReadOf<Fields extends StateFields> = {
  readonly [Name in keyof Fields]: Fields[Name] extends Field<infer Value, unknown> ? Value : never
}

/** What plans the changes of the fields. */
export type DraftOf<Fields extends StateFields> = {
  readonly [Name in keyof Fields]: Fields[Name] extends Field<unknown, infer Draft> ? Draft : never
}

/** What an ORMap's `put` can set: its registers. */
export type InitialOf<Fields extends StateFields> = {
  readonly [Name in keyof Fields as [InitialIn<Fields[Name]>] extends [never] ? never : Name]?: InitialIn<Fields[Name]>
}

type InitialIn<Of> = Of extends Field<unknown, unknown, infer Initial> ? Initial : never

/** The data by which every device judges changes of these fields. Throws a TypeError for what can't be such data. */
export const typesOf = (fields: StateFields, path = "state"): Fields => {
  const types: { [name: string]: FieldType } = {}
  for (const [name, field] of Object.entries(fields)) {
    if (!isFieldName(name))
      throw new TypeError(`${path}.${name}: a field's name is a letter, then letters, digits or _`)
    types[name] = field.toType(`${path}.${name}`)
  }
  return types
}

/** What the application sees of a state that was read by `typesOf(fields)`; the same objects for the same objects. */
export const show = <Of extends StateFields>(fields: Of, shown: Shown): ReadOf<Of> => {
  if (isAllDirect(fields)) return erased<ReadOf<Of>>(shown)
  const known = shownBy(fields).get(shown)
  if (known !== undefined) return erased<ReadOf<Of>>(known)
  const record: { [name: string]: unknown } = {}
  for (const [name, field] of Object.entries(fields)) record[name] = field.show(shown[name])
  shownBy(fields).set(shown, Object.freeze(record))
  return erased<ReadOf<Of>>(record)
}

/**
 * Drafts for one plan over a state, for changes that will be the next of the feed `author`; `types` as `typesOf` gave
 * them. Throws where a schema can't encode a value.
 */
export const draftOf = <Of extends StateFields>(fields: Of, types: Fields, state: State, author: FeedId): DraftOf<Of> =>
  drafts(fields, types, { author, path: [] }, (key) => state.slots.get(key)?.state)

/**
 * The same for many plans, one after the other, over a state that changes in place: drafts look at it when they are
 * asked. Those that remember nothing are made once; frozen, so that no plan can leave something in them for the next.
 */
export const drafter = <Of extends StateFields>(
  fields: Of,
  types: Fields,
  state: State,
  author: FeedId
): (() => DraftOf<Of>) => {
  if (Object.values(fields).some(({ isForOnePlan }) => isForOnePlan === true))
    return () => draftOf(fields, types, state, author)
  const lasting = draftOf(fields, types, state, author)
  for (const draft of Object.values(lasting)) Object.freeze(draft)
  Object.freeze(lasting)
  return () => lasting
}

export const GCounter = (): Field<number, CounterDraft> => counter("GCounter")

export const PNCounter = (): Field<number, CounterDraft> => counter("PNCounter")

export const LWWRegister = <A, Encoded>(schema: Schema.Codec<A, Encoded>): Field<A | undefined, RegisterDraft<A>, A> =>
  register("LWWRegister", schema)

/** The name of a blob that was put (`aura.blobs`), until another one is set; setting `undefined` names none. */
export const Blob = (): Field<BlobRef | undefined, RegisterDraft<BlobRef | undefined>, BlobRef> => {
  const show = (stored: unknown): BlobRef | undefined => erased<BlobRef | null | undefined>(stored) ?? undefined
  return {
    toType: () => ({ kind: "Blob" }),
    show,
    // of nothing and of no blob the same is shown
    isDirect: false,
    toInitial: copied,
    draft: (site) => ({
      get value() {
        return show(site.read())
      },
      set: (ref) => changeAt(site, "set", ref === undefined ? null : copied(ref))
    })
  }
}

/** Without what else the object may have. */
const copied = ({ hash, size, type }: BlobRef): Cbor => ({ hash, size, type })

/** Values must encode to numbers or strings. */
export const MaxRegister = <A, Encoded extends number | string>(
  schema: Schema.Codec<A, Encoded>
): Field<A | undefined, RegisterDraft<A>, A> => register("MaxRegister", schema)

/** Values must encode to numbers or strings. */
export const MinRegister = <A, Encoded extends number | string>(
  schema: Schema.Codec<A, Encoded>
): Field<A | undefined, RegisterDraft<A>, A> => register("MinRegister", schema)

export const MVRegister = <A, Encoded>(
  schema: Schema.Codec<A, Encoded>
): Field<ReadonlyArray<A>, MVRegisterDraft<A>, A> => {
  const { toType, isDirect, encode, decode } = border(schema)
  const show = isDirect
    ? erased<ReadonlyArray<A>>
    : remembered((stored: ReadonlyArray<Cbor>) =>
        Object.freeze(stored.map(decode).filter((value) => value !== undefined))
      )
  return {
    toType: (path) => ({ kind: "MVRegister", value: toType(path) }),
    show,
    isDirect,
    toInitial: encode,
    draft: (site) => ({
      get value() {
        return show(site.read())
      },
      set: (value) => changeAt(site, "set", encode(value), dotsAt(site, null))
    })
  }
}

export const GSet = <A, Encoded>(schema: Schema.Codec<A, Encoded>): Field<SetView<A>, GSetDraft<A>> => {
  const { toType, show, isDirect, encode } = elements(schema)
  return {
    toType: (path) => ({ kind: "GSet", value: toType(path) }),
    show,
    isDirect,
    toInitial: undefined,
    draft: (site) => ({
      get value() {
        return show(site.read())
      },
      has: (element) => peekAt(site, encode(element)) !== undefined,
      add: (element) => changeAt(site, "add", encode(element))
    })
  }
}

export const ORSet = <A, Encoded>(schema: Schema.Codec<A, Encoded>): Field<SetView<A>, ORSetDraft<A>> => {
  const { toType, show, isDirect, encode } = elements(schema)
  return {
    toType: (path) => ({ kind: "ORSet", value: toType(path) }),
    show,
    isDirect,
    toInitial: undefined,
    draft: (site) => ({
      get value() {
        return show(site.read())
      },
      has: (element) => peekAt(site, encode(element)) !== undefined,
      add: (element) => changeAt(site, "add", encode(element)),
      remove: (element) => {
        const stored = encode(element)
        return changeAt(site, "remove", stored, dotsAt(site, stored))
      }
    })
  }
}

export const LWWMap = <A, Encoded>(schema: Schema.Codec<A, Encoded>): Field<MapView<A>, LWWMapDraft<A>> => {
  const { toType, isDirect, encode, decode } = border(schema)
  const show = isDirect
    ? erased<MapView<A>>
    : remembered((stored: MapView<Cbor>): MapView<A> => mapValues(stored, decode))
  const showValue = (stored: unknown): A | undefined =>
    stored === undefined ? undefined : decode(erased<Cbor>(stored))
  return {
    toType: (path) => ({ kind: "LWWMap", value: toType(path) }),
    show,
    isDirect,
    toInitial: undefined,
    draft: (site) => ({
      get value() {
        return show(site.read())
      },
      get: (key) => showValue(peekAt(site, key)),
      has: (key) => showValue(peekAt(site, key)) !== undefined,
      set: (key, value) => changeAt(site, "set", key, encode(value)),
      remove: (key) => changeAt(site, "remove", key)
    })
  }
}

/** Records of the given fields; any but ORMap. */
export const ORMap = <const Of extends StateFields>(
  fields: Of
): Field<MapView<ReadOf<Of>>, ORMapDraft<ReadOf<Of>, InitialOf<Of>, DraftOf<Of>>> => {
  const showRecord = (stored: unknown): ReadOf<Of> => show(fields, erased<Shown>(stored))
  const isDirect = isAllDirect(fields)
  const showAll = isDirect
    ? erased<MapView<ReadOf<Of>>>
    : remembered((stored: MapView<Shown>): MapView<ReadOf<Of>> => mapValues(stored, showRecord))
  return {
    toType: (path) => ({ kind: "ORMap", fields: typesOf(fields, path) }),
    show: showAll,
    isDirect,
    toInitial: undefined,
    draft: (site) => ({
      get value() {
        return showAll(site.read())
      },
      get: (id) => {
        const record = peekAt(site, id)
        return record === undefined ? undefined : showRecord(record)
      },
      has: (id) => peekAt(site, id) !== undefined,
      put: (id, initial) => changeAt(site, "put", id, initialOf(fields, initial)),
      at: (id) =>
        drafts(fields, site.type.fields ?? {}, { author: site.author, path: [...site.path, id] }, (key) => {
          const state = site.state()
          return state === undefined ? undefined : site.crdt.inside?.(state, id, key)
        }),
      remove: (id) => changeAt(site, "remove", id, dotsAt(site, id))
    })
  }
}

/**
 * What a kind reads has the type that the kind says; only the registry, which knows kinds by name, forgets it. This is
 * where it is remembered.
 */
const erased = <Type>(stored: unknown): Type => stored as Type

/** One result for one object, for as long as the object lives. */
const remembered = <Stored extends object, Shown>(show: (stored: Stored) => Shown): ((stored: unknown) => Shown) => {
  const known = new WeakMap<Stored, { readonly shown: Shown }>()
  return (stored) => {
    const object = erased<Stored>(stored)
    const before = known.get(object)
    if (before !== undefined) return before.shown
    const shown = show(object)
    known.set(object, { shown })
    return shown
  }
}

const drafts = <Of extends StateFields>(
  fields: Of,
  types: Fields,
  { author, path }: Pick<Site, "author" | "path">,
  stateAt: (key: string) => unknown
): DraftOf<Of> => {
  const made: { [name: string]: unknown } = {}
  for (const { name, key, type, crdt, emptyValue } of layoutOf(types).values()) {
    const state = (): unknown => stateAt(key)
    const read = (): unknown => {
      const current = state()
      return current === undefined ? emptyValue : crdt.read(current, type)
    }
    made[name] = fields[name]?.draft({ author, path: [...path, name], type, crdt, state, read })
  }
  return erased<DraftOf<Of>>(made)
}

const initialOf = (fields: StateFields, initial: { readonly [name: string]: unknown }): Cbor => {
  const stored: { [name: string]: Cbor } = {}
  for (const [name, value] of Object.entries(initial)) {
    if (value === undefined) continue
    const toInitial = erased<Field<unknown, unknown, unknown> | undefined>(fields[name])?.toInitial
    if (toInitial === undefined) throw new TypeError(`a put can't set ${name}: it is no register of these records`)
    stored[name] = toInitial(value)
  }
  return stored
}

const counter = (kind: string): Field<number, CounterDraft> => ({
  toType: () => ({ kind }),
  show: erased<number>,
  isDirect: true,
  toInitial: undefined,
  draft: (site) => ({
    get value() {
      return erased<number>(site.read())
    },
    add: (amount) => changeAt(site, "add", amount)
  })
})

const register = <A, Encoded>(
  kind: string,
  schema: Schema.Codec<A, Encoded>
): Field<A | undefined, RegisterDraft<A>, A> => {
  const { toType, isDirect, encode, decode } = border(schema)
  const show = (stored: unknown): A | undefined => (stored === undefined ? undefined : decode(erased<Cbor>(stored)))
  return {
    toType: (path) => ({ kind, value: toType(path) }),
    show,
    isDirect,
    toInitial: encode,
    draft: (site) => ({
      get value() {
        return show(site.read())
      },
      set: (value) => changeAt(site, "set", encode(value))
    })
  }
}

const elements = <A, Encoded>(schema: Schema.Codec<A, Encoded>) => {
  const { toType, isDirect, encode, decode } = border(schema)
  const show = isDirect
    ? erased<SetView<A>>
    : remembered((stored: SetView<Cbor>): SetView<A> => mapElements(stored, decode, encode))
  return { toType, isDirect, encode, show }
}

const isAllDirect = (fields: StateFields): boolean => {
  const known = directness.get(fields)
  if (known !== undefined) return known
  const isDirect = Object.values(fields).every((field) => field.isDirect)
  directness.set(fields, isDirect)
  return isDirect
}

/** Asked at every look at a state. */
const directness = new WeakMap<StateFields, boolean>()

/** What was shown of a state by one record of fields. */
const shownBy = (fields: StateFields): WeakMap<Shown, unknown> => {
  const known = shownByFields.get(fields)
  if (known !== undefined) return known
  const fresh = new WeakMap<Shown, unknown>()
  shownByFields.set(fields, fresh)
  return fresh
}

const shownByFields = new WeakMap<StateFields, WeakMap<Shown, unknown>>()
