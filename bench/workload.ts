/**
 * The data every side writes: 20 000 entries of one key (7 characters) and one value (32 hexadecimal characters).
 *
 * Keys are `k000000` to `k019999` in a seeded random order, values are seeded random bytes, so that no encoding
 * profits from an order or a pattern that real data lacks. 39 bytes of user data an entry, each key written once.
 */
export interface Write {
  readonly key: string
  readonly value: string
}

export const entriesCount = 20_000
/** How many writes wait for their acknowledgement at once. */
export const inFlightMax = 64

/** xorshift32: small, well known, the same on every machine. */
export const randomFrom = (seed: number) => {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const shuffledKeys = (random: () => number): ReadonlyArray<string> => {
  const keys = Array.from({ length: entriesCount }, (_, index) => `k${String(index).padStart(6, "0")}`)
  for (let last = keys.length - 1; last > 0; last--) {
    const other = random() % (last + 1)
    const key = keys[last]!
    keys[last] = keys[other]!
    keys[other] = key
  }
  return keys
}

const make = (): ReadonlyArray<Write> => {
  const random = randomFrom(0x5eed)
  const word = () => random().toString(16).padStart(8, "0")
  return shuffledKeys(random).map((key) => ({ key, value: word() + word() + word() + word() }))
}

export const writes: ReadonlyArray<Write> = make()

/** The same writes in groups of `inFlightMax`. */
export const batches: ReadonlyArray<ReadonlyArray<Write>> = Array.from(
  { length: Math.ceil(entriesCount / inFlightMax) },
  (_, index) => writes.slice(index * inFlightMax, (index + 1) * inFlightMax)
)
