/**
 * Hours of the day in which something is allowed: minutes since midnight at a fixed offset from UTC.
 *
 * Never a zone's name: replicas have different editions of the time-zone database, and what an entry's time means has to
 * be the same everywhere. A place with summer time needs two offsets, or hours that are wide enough.
 */
import * as Clock from "../journal/Clock.ts"
import type { Shape } from "./Payload.ts"
import * as Payload from "./Payload.ts"

/** From `from`, inclusive, to `to`, exclusive; over midnight where `to` lies before `from`. */
export interface Hours {
  readonly from: number
  readonly to: number
  /** Minutes east of UTC. */
  readonly offset: number
}

const dayMinutes = 24 * 60

/** East of UTC in minutes, as far as the world's clocks go. */
const offsetMin = -12 * 60
const offsetMax = 14 * 60

const raw: Shape<Hours> = Payload.map<Hours>({
  from: Payload.integer(0, dayMinutes - 1),
  to: Payload.integer(0, dayMinutes),
  offset: Payload.integer(offsetMin, offsetMax)
})

export const shape: Shape<Hours> = {
  write: raw.write,
  read: (value) => {
    const hours = raw.read(value)
    return hours instanceof Payload.Misfit || hours.from !== hours.to
      ? hours
      : new Payload.Misfit("begin when they end")
  }
}

/** Whether a moment of entry time (journal/Clock.ts) lies in them. */
export const contain = ({ from, offset, to }: Hours, time: number): boolean => {
  const minutes = Math.floor(Clock.toMillis(time) / 60_000) + offset
  const minute = ((minutes % dayMinutes) + dayMinutes) % dayMinutes
  return from < to ? minute >= from && minute < to : minute >= from || minute < to
}

export const keyOf = ({ from, offset, to }: Hours): string => `${from}-${to}${offset < 0 ? "" : "+"}${offset}`

/** Each once, in one order. */
export const union = (a: ReadonlyArray<Hours>, b: ReadonlyArray<Hours>): ReadonlyArray<Hours> => {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const byKey = new Map([...a, ...b].map((hours) => [keyOf(hours), hours]))
  return [...byKey].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, hours]) => hours)
}
