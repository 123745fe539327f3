/**
 * Dictionaries of HTTP's structured fields (RFC 9651), as far as signatures and digests of messages need them.
 *
 * A dictionary has members by key; a member is an item or a list of items, each with parameters; an item is an integer,
 * a text, a token, bytes or a boolean. Decimals, dates and display strings are refused: nothing here uses them. What is
 * written has one form, so two readers of one field rebuild the same text from it, whatever spaces it came with.
 */
import * as Result from "effect/Result"
import { Buffer } from "node:buffer"

export type Item =
  | { readonly _tag: "Integer"; readonly value: number }
  | { readonly _tag: "Text"; readonly value: string }
  | { readonly _tag: "Token"; readonly value: string }
  | { readonly _tag: "Bytes"; readonly value: Uint8Array }
  | { readonly _tag: "Boolean"; readonly value: boolean }

/** In the order in which they stand: it counts when they are signed. */
export type Parameters = ReadonlyMap<string, Item>

export interface ListMember {
  readonly _tag: "List"
  readonly items: ReadonlyArray<{ readonly item: Item; readonly parameters: Parameters }>
  readonly parameters: Parameters
}

export interface ItemMember {
  readonly _tag: "Item"
  readonly item: Item
  readonly parameters: Parameters
}

export type Dictionary = ReadonlyMap<string, ItemMember | ListMember>

/** The failure says what was due and where, for who wrote the field. */
export const parseDictionary = (text: string): Result.Result<Dictionary, string> => {
  const reader = makeReader(text)
  const members = new Map<string, ItemMember | ListMember>()
  reader.skip(/ */uy)
  while (!reader.isAtEnd()) {
    const key = reader.take(keyForm)
    if (key === undefined) return reader.fail("a key")
    const member = reader.skip(/=/uy) ? readMember(reader) : reader.withParameters({ _tag: "Boolean", value: true })
    if (member === undefined) return reader.fail("a value")
    members.set(key, member)
    reader.skip(/[ \t]*/uy)
    if (reader.isAtEnd()) break
    if (!reader.skip(/,[ \t]*/uy) || reader.isAtEnd()) return reader.fail("a comma and another member")
  }
  return Result.succeed(members)
}

export const writeList = ({ items, parameters }: Omit<ListMember, "_tag">): string =>
  `(${items.map((one) => writeItem(one.item) + writeParameters(one.parameters)).join(" ")})${writeParameters(parameters)}`

export const writeItem = (item: Item): string => {
  switch (item._tag) {
    case "Integer":
      return String(item.value)
    case "Text":
      return `"${item.value.replaceAll(/["\\]/gu, "\\$&")}"`
    case "Token":
      return item.value
    case "Bytes":
      return `:${Buffer.from(item.value).toString("base64")}:`
    case "Boolean":
      return item.value ? "?1" : "?0"
  }
}

const writeParameters = (parameters: Parameters): string =>
  [...parameters]
    .map(([key, item]) => (item._tag === "Boolean" && item.value ? `;${key}` : `;${key}=${writeItem(item)}`))
    .join("")

const keyForm = /[a-z*][a-z0-9_.*-]*/uy

interface Reader {
  readonly isAtEnd: () => boolean
  readonly take: (form: RegExp) => string | undefined
  readonly skip: (form: RegExp) => boolean
  readonly fail: (due: string) => Result.Result<never, string>
  readonly withParameters: (item: Item) => ItemMember | undefined
}

/** Every form is sticky, so a match begins where reading stands. */
const makeReader = (text: string): Reader => {
  let at = 0
  const take = (form: RegExp): string | undefined => {
    form.lastIndex = at
    const found = form.exec(text)
    if (found === null) return undefined
    at += found[0].length
    return found[0]
  }
  const reader: Reader = {
    isAtEnd: () => at === text.length,
    take,
    skip: (form) => take(form) !== undefined,
    fail: (due) => Result.fail(`${due} was due at character ${at + 1}`),
    withParameters: (item) => {
      const parameters = readParameters(reader)
      return parameters === undefined ? undefined : { _tag: "Item", item, parameters }
    }
  }
  return reader
}

const readMember = (reader: Reader): ItemMember | ListMember | undefined => {
  if (!reader.skip(/\(/uy)) {
    const item = readItem(reader)
    return item === undefined ? undefined : reader.withParameters(item)
  }
  const items: Array<ItemMember> = []
  for (;;) {
    reader.skip(/ */uy)
    if (reader.skip(/\)/uy)) break
    const item = readItem(reader)
    const one = item === undefined ? undefined : reader.withParameters(item)
    if (one === undefined) return undefined
    items.push(one)
    if (reader.take(/(?=[ )])/uy) === undefined) return undefined
  }
  const parameters = readParameters(reader)
  return parameters === undefined ? undefined : { _tag: "List", items, parameters }
}

/** A parameter that is named again takes its new place, as the standard says. */
const readParameters = (reader: Reader): Parameters | undefined => {
  const parameters = new Map<string, Item>()
  while (reader.skip(/; */uy)) {
    const key = reader.take(keyForm)
    if (key === undefined) return undefined
    const item: Item | undefined = reader.skip(/=/uy) ? readItem(reader) : { _tag: "Boolean", value: true }
    if (item === undefined) return undefined
    parameters.delete(key)
    parameters.set(key, item)
  }
  return parameters
}

const readItem = (reader: Reader): Item | undefined => {
  const text = reader.take(/"(?:[ !#-[\]-~]|\\["\\])*"/uy)
  if (text !== undefined) return { _tag: "Text", value: text.slice(1, -1).replaceAll(/\\(["\\])/gu, "$1") }
  const integer = reader.take(/-?[0-9]{1,15}(?![0-9.])/uy)
  if (integer !== undefined) return { _tag: "Integer", value: Number(integer) }
  const bytes = reader.take(/:(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?:/uy)
  if (bytes !== undefined) return { _tag: "Bytes", value: Uint8Array.from(Buffer.from(bytes.slice(1, -1), "base64")) }
  const boolean = reader.take(/\?[01]/uy)
  if (boolean !== undefined) return { _tag: "Boolean", value: boolean === "?1" }
  const token = reader.take(/[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*/uy)
  return token === undefined ? undefined : { _tag: "Token", value: token }
}
