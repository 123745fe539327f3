/**
 * Whose text goes first where two authors insert at one place at once: found by playing the trace in memory.
 *
 * A trace does not say. The data set promises that it never matters, and in one of its own files it does. Yjs, which
 * carries the text, puts the lower client number first, and an agent's client number follows from its feed's name. So
 * the devices' feeds are made first and cast in the order that is found here (Replay.ts).
 *
 * Two orders are tried, the authors' numbers rising and falling. Where neither gives the recorded text, the rising one
 * is kept, and the replay ends by telling where its text differs.
 */
import * as Y from "yjs"
import * as CodePoints from "./CodePoints.ts"
import type { Plan } from "./Plan.ts"
import type { Trace } from "./Trace.ts"

/** The plan's devices, whose text goes first to whose goes last. */
export type Order = ReadonlyArray<number>

export const order = (trace: Trace, plan: Plan): Order => {
  const rising = inOrder(plan, 1)
  if (plan.devices.length === 1 || play(trace, plan, rising) === trace.end) return rising
  const falling = inOrder(plan, -1)
  return play(trace, plan, falling) === trace.end ? falling : rising
}

const inOrder = ({ devices }: Plan, sign: 1 | -1): Order =>
  [...devices.keys()].sort((a, b) => sign * (devices[a]!.author - devices[b]!.author) || a - b)

interface Player {
  readonly doc: Y.Doc
  readonly text: Y.Text
  /** What its steps changed, each as one update with the count of transactions behind it. */
  readonly updates: Array<{ readonly to: number; readonly update: Uint8Array }>
  /** How many updates of each player it has. */
  readonly has: Map<number, number>
}

/** The text that Yjs ends with. */
export const play = (trace: Trace, { devices, steps }: Plan, order: Order): string => {
  const players = devices.map((_, device) => playerOf(order.indexOf(device) + 1))
  for (const { device, from, needs, to } of steps) {
    const player = players[device]!
    if (needs !== undefined) {
      player.doc.transact(() => {
        for (const [other, count] of needs) if (other !== device) give(players, player, other, count)
      }, "others")
    }
    const index = CodePoints.of(player.text.toString())
    player.doc.transact(() => {
      for (const number of devices[device]!.transactions.slice(from, to)) {
        for (const patch of trace.transactions[number]!.patches) {
          const { at, insert, remove } = CodePoints.toUnits(index, patch)
          // a position outside is for the real replay to refuse
          if (remove > 0) player.text.delete(at, Math.min(remove, player.text.length - at))
          if (insert !== "") player.text.insert(Math.min(at, player.text.length), insert)
        }
      }
    }, to)
  }
  const last = playerOf(0)
  for (const [device, { transactions }] of devices.entries()) give(players, last, device, transactions.length)
  return last.text.toString()
}

const playerOf = (clientID: number): Player => {
  const doc = new Y.Doc()
  doc.clientID = clientID
  const player: Player = { doc, text: doc.getText("body"), updates: [], has: new Map() }
  doc.on("update", (update: Uint8Array, to: unknown) => {
    if (typeof to === "number") player.updates.push({ to, update })
  })
  return player
}

const give = (players: ReadonlyArray<Player>, player: Player, other: number, count: number): void => {
  const { updates } = players[other]!
  let next = player.has.get(other) ?? 0
  for (; next < updates.length && updates[next]!.to <= count; next++)
    Y.applyUpdate(player.doc, updates[next]!.update, "others")
  player.has.set(other, next)
}
