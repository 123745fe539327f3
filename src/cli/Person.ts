/** Finds what people name by the beginning of an id or by a name: devices of a space. */
import * as Effect from "effect/Effect"
import type { DeviceId } from "../identity/Id.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Authority from "../trust/Authority.ts"
import * as Problem from "./Problem.ts"

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
      .map(({ device, name }) => `${device.slice(0, 10)} (${name})`)
      .join(", ")}`,
    do: '"aura device list" shows them',
    isUsage: true
  })
})
