/**
 * How far a device is trusted: a value in 1/10 000, from 0 to 10 000, and the four levels that values are read as.
 *
 * A level stands for two numbers: what a relation of that level gives (`given`) and from which value on somebody has
 * it (`least`). The first is above the second, so that a little may be lost on the way. On the wire a level is 0 to 3
 * and a severity 0 to 2.
 *
 * Laws (test/trust/Level.test.ts): levels are a chain with meet; numbers and names say the same, and no other number
 * is a level.
 */

/** From the lowest to the highest. */
export const levels = ["None", "Low", "Medium", "High"] as const
export type Level = (typeof levels)[number]

/** How bad what somebody is reported for is, from the mildest on. */
export const severities = ["Minor", "Major", "Severe"] as const
export type Severity = (typeof severities)[number]

/** The value of a root: all there is. In 1/10 000, as every value here. */
export const valueMax = 10_000

const numbers: Readonly<Record<Level, number>> = { None: 0, Low: 1, Medium: 2, High: 3 }

/** The number of a level on the wire, 0 to 3; a higher level has a higher one. */
export const levelToNumber = (level: Level): number => numbers[level]

/** Undefined for what is no level. */
export const levelFromNumber = (number: number): Level | undefined => levels[number]

/** The number of a severity on the wire, 0 to 2; what is worse has a higher one. */
export const severityToNumber = (severity: Severity): number => severities.indexOf(severity)

/** Undefined for what is no severity. */
export const severityFromNumber = (number: number): Severity | undefined => severities[number]

export const isAtLeast = (level: Level, wanted: Level): boolean => levelToNumber(level) >= levelToNumber(wanted)

/** The lower of the two: what two parties may do together is what the less trusted one may. */
export const meet = (a: Level, b: Level): Level => (isAtLeast(a, b) ? b : a)

/** One step down, no further than None. */
export const below = (level: Level): Level => levels[levelToNumber(level) - 1] ?? "None"

/** What a relation of a level gives at its first hop. */
export const given: Readonly<Record<Level, number>> = { None: 0, Low: 3333, Medium: 6667, High: 10_000 }

/** The lowest value that is read as a level. */
export const least: Readonly<Record<Level, number>> = { None: 0, Low: 2500, Medium: 5000, High: 8000 }

/** The value of somebody who may have no more than a level, at most. Who may have none has nothing at all. */
export const most: Readonly<Record<Level, number>> = { None: 0, Low: 4999, Medium: 7999, High: 10_000 }

export const levelOf = (value: number): Level =>
  value >= least.High ? "High" : value >= least.Medium ? "Medium" : value >= least.Low ? "Low" : "None"
