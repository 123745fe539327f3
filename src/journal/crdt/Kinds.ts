/**
 * The kinds of fields that this program knows, by name.
 *
 * Those of this folder are added by BuiltIn.ts; Text adds itself when `aura/text` is imported, so that
 * nobody bundles an editor's library without wanting it. A definition that names another kind is not malformed: its
 * entries wait until a program that knows it reads them.
 */
import type { AnyCrdt } from "./Crdt.ts"

const kinds = new Map<string, AnyCrdt>()

/** Once per kind; a second one under the same name dies, for two copies of a library would disagree. */
export const register = (crdt: AnyCrdt): void => {
  const known = kinds.get(crdt.kind)
  if (known !== undefined && known !== crdt) throw new TypeError(`a kind ${crdt.kind} is already registered`)
  kinds.set(crdt.kind, crdt)
}

export const find = (kind: string): AnyCrdt | undefined => kinds.get(kind)

/** Dies on an unknown kind: field types are decoded, and so known, before they are used. */
export const get = (kind: string): AnyCrdt => {
  const crdt = kinds.get(kind)
  if (crdt === undefined) throw new TypeError(`no kind ${kind}: is "aura/text" imported?`)
  return crdt
}
