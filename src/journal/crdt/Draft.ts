/**
 * How an operation says what it changes: `tasks.put(id, { title })`, `tasks.at(id).done.set(true)`, `tags.add("x")`.
 *
 * A draft reads the state as it is and makes changes as data; it alters nothing, so a plan that fails leaves nothing
 * behind. What a plan has drafted it does not see: drafts read the state before the operation (Text excepted, where
 * positions would make no sense otherwise). Removals and overwrites name what the state shows now.
 *
 * A draft does not judge: that an amount, a key or a value is allowed is found by who takes the changes, alike for our
 * own and for foreign ones.
 */
import type { FeedId } from "../../identity/Id.ts"
import type { Cbor } from "../Cbor.ts"
import type { AnyCrdt, Change, FieldType } from "./Crdt.ts"
import type { MapView, SetView } from "./Views.ts"

/** Where a field stands, and what is there now. */
export interface Site {
  /** The feed that the changes will stand in. */
  readonly author: FeedId
  /** What follows the mutator in its changes. */
  readonly path: ReadonlyArray<string>
  readonly type: FieldType
  readonly crdt: AnyCrdt
  /** Undefined until a change touches the field. Of the kind's own type: see `stateAt`. */
  readonly state: () => unknown
  /** As stored, before any schema. */
  readonly read: () => unknown
}

export interface RegisterDraft<A> {
  /** Undefined while nobody has set it. */
  readonly value: A | undefined
  readonly set: (value: A) => Change
}

export interface MVRegisterDraft<A> {
  /** More than one after concurrent settings. */
  readonly value: ReadonlyArray<A>
  /** In place of the values seen. */
  readonly set: (value: A) => Change
}

export interface CounterDraft {
  readonly value: number
  /** GCounter: from 1; PNCounter: anything but 0; safe integers. */
  readonly add: (amount: number) => Change
}

export interface GSetDraft<A> {
  readonly value: SetView<A>
  readonly has: (element: A) => boolean
  readonly add: (element: A) => Change
}

export interface ORSetDraft<A> extends GSetDraft<A> {
  /** Does nothing when the element is not there. */
  readonly remove: (element: A) => Change
}

export interface LWWMapDraft<A> {
  readonly value: MapView<A>
  readonly get: (key: string) => A | undefined
  readonly has: (key: string) => boolean
  readonly set: (key: string, value: A) => Change
  readonly remove: (key: string) => Change
}

export interface ORMapDraft<Record, Initial, Drafts> {
  readonly value: MapView<Record>
  readonly get: (id: string) => Record | undefined
  readonly has: (id: string) => boolean
  /** Adds the record, or brings it back, and sets the named registers. */
  readonly put: (id: string, initial: Initial) => Change
  /** The record's fields; changing them neither makes nor revives a record. */
  readonly at: (id: string) => Drafts
  /** Does nothing when the record is not there. */
  readonly remove: (id: string) => Change
}

/** A change of the field at the site. */
export const changeAt = (site: Site, mutator: string, ...further: ReadonlyArray<Cbor>): Change => [
  mutator,
  ...site.path,
  ...further
]

/** The state as its kind knows it. The registry, which knows kinds by name only, forgets the type; here it comes back. */
export const stateAt = <State>(site: Site): State | undefined => site.state() as State | undefined

/** What the state has at `key`; undefined when it is absent. */
export const peekAt = (site: Site, key: Cbor): unknown => {
  const state = site.state()
  return state === undefined ? undefined : site.crdt.peek?.(state, site.type, key)
}

/** The dots that a removal or overwrite names. */
export const dotsAt = (site: Site, key: Cbor): ReadonlyArray<Cbor> => {
  const state = site.state()
  return state === undefined ? [] : (site.crdt.dots?.(state, key) ?? [])
}
