/**
 * Everything a simulated world leaves to chance, drawn from its seed.
 *
 * Each part of the world (the scheduler, every link, every disk, every agent) draws from a stream of its own, named by
 * a label: a new draw in one part moves no other part, so a seed keeps its meaning while code around it changes. Only
 * additions, multiplications and comparisons turn draws into choices, so every JavaScript engine makes the same ones.
 *
 * Nothing here is secret: `bytes` feeds the simulated SecureRandom, which whoever knows the seed can predict.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** A range of whole milliseconds, both ends included. */
export interface Span {
  readonly min: number
  readonly max: number
}

export interface Chance {
  /** Uniform in [0, 1). */
  readonly fraction: () => number
  /** A whole number, uniform, both ends included. */
  readonly between: (min: number, max: number) => number
  /** Like `between`, but mostly near the lower end: delays that are short until they are not. */
  readonly millis: (span: Span) => number
  /** True with probability `share` in 0 to 1. Draws nothing when the answer is certain. */
  readonly happens: (share: number) => boolean
  /** One of a list that is not empty. */
  readonly pick: <A>(from: ReadonlyArray<A>) => A
  /** A shuffled copy. */
  readonly shuffle: <A>(from: ReadonlyArray<A>) => ReadonlyArray<A>
  readonly bytes: (size: number) => Uint8Array
  /** The stream as Effect's service, for programs that ask for it. */
  readonly random: Random.Random
}

/** The stream of a label in a world. Equal arguments give equal streams, different labels unrelated ones. */
export const make = (seed: number, label: string): Chance => {
  const random = Effect.runSync(Random.withSeed(Effect.service(Random.Random), `${seed}/${label}`))
  const fraction = (): number => random.nextDoubleUnsafe()
  const between = (min: number, max: number): number => min + Math.floor(fraction() * (max - min + 1))
  return {
    fraction,
    between,
    millis: ({ max, min }) => min + Math.floor(fraction() * fraction() * fraction() * (max - min + 1)),
    happens: (share) => share > 0 && (share >= 1 || fraction() < share),
    pick: (from) => {
      const picked = from[between(0, from.length - 1)]
      if (picked === undefined) throw new RangeError("cannot pick from an empty list")
      return picked
    },
    shuffle: (from) =>
      from
        .map((item) => ({ item, place: fraction() }))
        .toSorted((one, other) => one.place - other.place)
        .map(({ item }) => item),
    bytes: (size) => Uint8Array.from({ length: size }, () => between(0, 255)),
    random
  }
}
