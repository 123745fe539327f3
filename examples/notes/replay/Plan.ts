/**
 * Who types what, in which order, having seen exactly what: a trace as steps of devices.
 *
 * A device does one thing after the other, so whatever it ever saw is in all it does later: an author who was concurrent
 * with himself needs a device for each branch. What a transaction stands on is then told by a count for each device: how
 * many of its transactions. Such a prefix that another device stands on is a *cut*: there the first one ends a step, so
 * that the others can be given just that.
 *
 * A step is as many transactions of a device in a row as no cut and nothing newly seen divides. Steps are in the order of
 * the trace; what a step needs was done by steps before it.
 */
import type { Trace } from "./Trace.ts"

/** By device, how many of its transactions. */
export type Past = ReadonlyMap<number, number>

export interface Device {
  readonly author: number
  /** Their numbers in the trace, in the order in which they were made. */
  readonly transactions: ReadonlyArray<number>
}

export interface Step {
  readonly device: number
  /** Its transactions from `from` on, up to and without `to`. */
  readonly from: number
  readonly to: number
  /** What it stands on, where that is more than its device's last step saw: of other devices exactly so much. */
  readonly needs: Past | undefined
  /** Another device stands on exactly this. */
  readonly isCut: boolean
}

export interface Plan {
  readonly devices: ReadonlyArray<Device>
  readonly steps: ReadonlyArray<Step>
}

/** Where a transaction was made: on which device, as which of its transactions, having seen what. */
interface Place {
  readonly device: number
  readonly index: number
  readonly past: Past
}

interface Growing {
  readonly author: number
  readonly transactions: Array<number>
}

export const make = ({ transactions }: Trace): Plan => {
  const devices: Array<Growing> = []
  const places: Array<Place> = []
  for (const [number, { author, parents }] of transactions.entries()) {
    const past = pastOf(parents.map((parent) => places[parent]!))
    const device = deviceFor(devices, author, past)
    places.push({ device, index: devices[device]!.transactions.length, past })
    devices[device]!.transactions.push(number)
  }
  return { devices, steps: stepsOf(devices, places) }
}

/** The parents, and what each of them had seen. */
const pastOf = (parents: ReadonlyArray<Place>): Past => {
  const joined = new Map<number, number>(parents[0]?.past)
  const raise = (device: number, count: number): void => {
    if ((joined.get(device) ?? 0) < count) joined.set(device, count)
  }
  for (const { device, index, past } of parents) {
    for (const [other, count] of past) raise(other, count)
    raise(device, index + 1)
  }
  return joined
}

/** The author's device whose every transaction was seen, of several the one that was used last; else a new one. */
const deviceFor = (devices: Array<Growing>, author: number, past: Past): number => {
  let best: number | undefined
  for (const [device, { author: owner, transactions }] of devices.entries()) {
    if (owner !== author || (past.get(device) ?? 0) < transactions.length) continue
    if (best === undefined || devices[best]!.transactions.at(-1)! < transactions.at(-1)!) best = device
  }
  return best ?? devices.push({ author, transactions: [] }) - 1
}

const stepsOf = (devices: ReadonlyArray<Device>, places: ReadonlyArray<Place>): ReadonlyArray<Step> => {
  const cuts = devices.map(() => new Set<number>())
  const seen = devices.map(() => new Map<number, number>())
  const bringsNews = places.map(({ device, past }) => {
    let isNews = false
    for (const [other, count] of past) {
      if (other === device || count <= (seen[device]!.get(other) ?? 0)) continue
      seen[device]!.set(other, count)
      cuts[other]!.add(count)
      isNews = true
    }
    return isNews
  })
  const steps: Array<Step> = []
  for (const [device, { transactions }] of devices.entries()) {
    for (let from = 0; from < transactions.length; from = steps.at(-1)!.to) {
      let to = from + 1
      while (to < transactions.length && !cuts[device]!.has(to) && !bringsNews[transactions[to]!]!) to++
      const first = transactions[from]!
      const needs = bringsNews[first]! ? places[first]!.past : undefined
      steps.push({ device, from, to, needs, isCut: cuts[device]!.has(to) })
    }
  }
  const firstOf = ({ device, from }: Step): number => devices[device]!.transactions[from]!
  return steps.sort((a, b) => firstOf(a) - firstOf(b))
}
