/**
 * The space that questions about authority are asked of: 1 000 devices and 10 000 delegations, as plain data.
 *
 * Each act is one entry of one device's authority feed. 32 devices that may bring in others are brought in by each other,
 * five levels deep, and bring in the rest, each with a delegation. Then whoever is a member delegates to anybody: the few
 * first devices most, the many last ones a few times each. So chains are of any length that rights allow; a tenth of the
 * delegations goes back to who gave (a cycle), and whoever holds nothing delegates too (useless, which only judging
 * finds out). An author has seen everything up to a horizon, which lags behind for one act in four, so that pasts are
 * not all nested. The same acts on every machine.
 */
import { randomFrom } from "./workload.ts"

export const devicesCount = 1_000
export const delegationsCount = 10_000

/** Something to be passed on. */
export interface Given {
  readonly to: number
  readonly capability: string
  readonly depth: number
}

/** What one device said. Devices and acts are numbers; device 0 is the founder, whose act 0 founds the space. */
export interface Act {
  readonly author: number
  readonly admits: number | undefined
  readonly gives: Given | undefined
  /** The author had seen the acts below this number, and no others but its own. */
  readonly horizon: number
}

/** A device on which nothing rests, and one on which much does. */
export const leaf = devicesCount - 1
export const trunk = 1
/** A device whose right to write tasks came through eight hands: the longest chain there is. */
export const deep = 682

const bringersCount = 32
const depthMax = 8
const lagMax = 500
const capabilities = [
  ...["task:write", "task:write/tasks/*", "task:read", "note:write", "note:write/notes/*", "note:read", "blob:read"],
  ...["blob:write", "blob:write/images/*", "space:read", "room:open", "room:open/rooms/*", "label:write", "label:read"]
]

const make = (): ReadonlyArray<Act> => {
  const random = randomFrom(0xa11ce)
  const below = (limit: number): number => random() % limit
  const acts: Array<Act> = [{ author: 0, admits: undefined, gives: undefined, horizon: 0 }]
  const horizons = new Map<number, number>()
  const givers = new Map<number, Given & { readonly from: number }>()
  const say = (author: number, admits: number | undefined, gives: Given): void => {
    const lag = below(4) === 0 ? below(lagMax) : 0
    const horizon = Math.max(horizons.get(author) ?? 1, admits === undefined ? acts.length - lag : acts.length)
    horizons.set(author, horizon)
    if (author !== 0) givers.set(gives.to, { ...gives, from: author })
    acts.push({ author, admits, gives, horizon })
  }
  for (let device = 1; device < devicesCount; device++) {
    const isBringer = device <= bringersCount
    const author = isBringer ? (device - 1) >> 1 : 1 + below(bringersCount)
    const capability = isBringer ? "*" : capabilities[below(capabilities.length)]!
    say(author, device, { to: device, capability, depth: isBringer ? 2 * depthMax : below(depthMax) + 1 })
  }
  while (acts.length <= delegationsCount) {
    const author = Math.floor(devicesCount * (random() / 2 ** 32) ** 3)
    const giver = givers.get(author)
    if (giver !== undefined && below(10) === 0)
      say(author, undefined, { to: giver.from, capability: giver.capability, depth: giver.depth })
    else {
      const to = 1 + below(devicesCount - 1)
      say(author, undefined, { to, capability: capabilities[below(capabilities.length)]!, depth: below(depthMax) })
    }
  }
  return acts
}

export const acts: ReadonlyArray<Act> = make()
