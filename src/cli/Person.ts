/** Finds what people name by the beginning of an id or by a name: devices of a space, entries; and how they are shown. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { short, type DeviceId } from "../identity/Id.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Authority from "../trust/Authority.ts"
import * as Problem from "./Problem.ts"
import { printable } from "./Text.ts"

/** Digits of an id that a prefix needs at least. */
const prefixDigitsMin = 4

/** The one device that `text` means: an id, the beginning of one, or a name that only one member has. */
export const device = Effect.fnUntraced(function* (
  replica: Replica,
  text: string
): Effect.fn.Return<DeviceId, Problem.Problem> {
  const { authority } = replica.ledger()
  const members = authority === undefined ? [] : Authority.members(authority)
  const isPrefix = text.length >= prefixDigitsMin && /^[0-9a-f]+$/u.test(text)
  const byId = isPrefix ? members.filter((member) => member.device.startsWith(text)) : []
  const found = byId.length > 0 ? byId : members.filter(({ name }) => name === text)
  if (found[0] !== undefined && found.length === 1) return found[0].device
  return yield* Problem.make(found.length === 0 ? "DeviceUnknown" : "DeviceAmbiguous", {
    what: found.length === 0 ? `no device of the space is "${text}"` : `${found.length} devices are "${text}"`,
    allowed: `a device's name, its id, or at least ${prefixDigitsMin} digits of the id: ${members
      .map(({ device, name }) => `${short(device)} (${name})`)
      .join(", ")}`,
    do: '"aura device list" shows them',
    isUsage: true
  })
})

/** The one of these ids or hashes that begins with `text`. `of` = what they are: "grant to Bob". */
export const oneOf = Effect.fnUntraced(function* <Id extends string>(
  ids: Iterable<Id>,
  text: string,
  of: string
): Effect.fn.Return<Id, Problem.Problem> {
  const all = [...new Set(ids)]
  const found = text.length >= prefixDigitsMin ? all.filter((id) => id.startsWith(text)) : []
  if (found[0] !== undefined && found.length === 1) return found[0]
  const shown = all.slice(0, shownMax).map((id) => id.slice(0, 10))
  return yield* Problem.make(found.length === 0 ? "EntryUnknown" : "EntryAmbiguous", {
    what: found.length === 0 ? `there is no ${of} "${text}"` : `${found.length} begin with "${text}"`,
    allowed:
      all.length === 0
        ? `nothing: there is no ${of}`
        : `an id, or at least ${prefixDigitsMin} digits of it: ${shown.join(", ")}${all.length > shownMax ? ", …" : ""}`,
    isUsage: true
  })
})

/** Ids that are offered for choice at most. */
const shownMax = 20

/** A device as data shows it. */
export const Who = Schema.Struct({ device: Schema.String, name: Schema.NullOr(Schema.String) })
export type Who = typeof Who.Type

export type Names = ReadonlyMap<DeviceId, string>

/** What people call devices: the names they were admitted with. */
export const namesOf = (authority: Authority.Authority): Names =>
  new Map<DeviceId, string>([
    ...Authority.members(authority).map(({ device, name }) => [device, name] as const),
    [authority.genesis.root, "recovery words"]
  ])

export const whoOf = (names: Names, device: DeviceId): Who => ({ device, name: names.get(device) ?? null })

/** "Bob (9f3c1a2b4d)" */
export const inWords = ({ device, name }: Who): string =>
  name === null ? device.slice(0, 10) : `${printable(name)} (${device.slice(0, 10)})`
