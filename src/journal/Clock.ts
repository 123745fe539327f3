/**
 * Hybrid logical time in one safe integer: (milliseconds since 2020-01-01 UTC) × 4096 + counter.
 *
 * Times of one author rise strictly, and above everything he has seen; they follow the wall clock when they can.
 * Arithmetic only, never bitwise operators: the number is wider than 32 bits. It ends in the year 2089; a full counter
 * carries into the milliseconds by itself. It orders changes, it proves nothing about when something happened: an
 * author may claim any time up to the drift allowed (see `isHeld`), which is why authority does not rest on it alone.
 */

/** Unix milliseconds of 2020-01-01T00:00:00Z. */
export const epochMillis = 1_577_836_800_000

/** Times within one millisecond. */
export const ticksPerMilli = 4096

/** An entry further ahead of our clock than this is held: neither judged nor named by anyone until its time comes. */
export const driftMaxMillis = 5 * 60 * 1000

/** Times at or above this are malformed: what is left above it is room for successors. */
export const timeMax = 2 ** 53 - 2 ** 42

/** The first tick of a Unix millisecond; 0 before 2020. */
export const fromMillis = (unixMillis: number): number =>
  Math.max(0, (Math.floor(unixMillis) - epochMillis) * ticksPerMilli)

/** The Unix millisecond of a time, rounded down. */
export const toMillis = (time: number): number => Math.floor(time / ticksPerMilli) + epochMillis

/** A time for a new entry: above `after`, and not below the wall clock. The writer checks that it still `isTime`. */
export const next = (after: number, unixMillis: number): number => Math.max(after + 1, fromMillis(unixMillis))

export const isTime = (time: number): boolean => Number.isSafeInteger(time) && time >= 0 && time < timeMax

/** More than `driftMaxMillis` ahead of the wall clock: too far to be judged now. */
export const isHeld = (time: number, unixMillis: number): boolean => time > fromMillis(unixMillis + driftMaxMillis)

/** As people write it, in UTC to the second: 2026-11-23T18:30:00Z. */
export const toText = (time: number): string => {
  const seconds = Math.floor(toMillis(time) / 1000)
  const [day, inDay] = [Math.floor(seconds / 86_400), seconds % 86_400]
  // counted in years that begin in March, so that the leap day is the last (proleptic Gregorian calendar)
  const since = day + 719_468
  const era = Math.floor(since / 146_097)
  const dayOfEra = since - era * 146_097
  const year = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365
  )
  const dayOfYear = dayOfEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const two = (part: number): string => String(part).padStart(2, "0")
  const date = [
    year + era * 400 + (month < 10 ? 0 : 1),
    two(month < 10 ? month + 3 : month - 9),
    two(dayOfYear - Math.floor((153 * month + 2) / 5) + 1)
  ]
  const clock = [Math.floor(inDay / 3600), Math.floor(inDay / 60) % 60, inDay % 60].map(two)
  return `${date.join("-")}T${clock.join(":")}Z`
}
