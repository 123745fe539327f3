/**
 * Remembers which signed requests were taken, until they expire, so that none is taken twice.
 *
 * A row of the journal store beside the space: what is remembered survives a restart, a crash and a power cut, because
 * a nonce is durable before the request behind it is carried out. Format: deterministic CBOR of [[mark, expires]…] in
 * any order; mark = the first 16 bytes of SHA-256("aura/http/nonce/v1" NUL ‖ DeviceId, 32 bytes ‖ nonce in ASCII),
 * expires in Unix seconds. A row that is something else is damage: nobody is taken at their word by it.
 *
 * Only requests of members get here, so members alone can fill it; each may have `nonceMax / 4` that still count.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import { Buffer } from "node:buffer"
import { JournalCorrupt, JournalStoreError, type JournalStore } from "../../effects/JournalStore.ts"
import { domain, hash } from "../../identity/Hash.ts"
import { toBytes, type DeviceId, type SpaceId } from "../../identity/Id.ts"
import * as Cbor from "../../journal/Cbor.ts"

/** Requests remembered at once. */
export const nonceMax = 1024

/** Kept a little longer than the request counts, in case the clock is set back. */
const graceSeconds = 60

export interface NonceBook {
  /** Durable when `Fresh`. `Full`: too many that still count; ask again later. */
  readonly claim: (
    device: DeviceId,
    nonce: string,
    expiresSeconds: number,
    nowSeconds: number
  ) => Effect.Effect<"Fresh" | "Used" | "Full", JournalStoreError>
}

interface Mark {
  readonly expiresSeconds: number
  /** Undefined for those of an earlier run of this process. */
  readonly device: DeviceId | undefined
}

const rowName = "http-nonces"
const markDomain = domain("aura/http/nonce/v1")

export const open = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId
): Effect.fn.Return<NonceBook, JournalStoreError> {
  const marks = yield* load(store, space)
  const turn = yield* Semaphore.make(1)
  return {
    claim: (device, nonce, expiresSeconds, nowSeconds) =>
      Effect.gen(function* () {
        for (const [mark, one] of marks) if (one.expiresSeconds + graceSeconds < nowSeconds) marks.delete(mark)
        const mark = markOf(device, nonce)
        if (marks.has(mark)) return "Used"
        const own = [...marks.values()].filter((one) => one.device === device).length
        if (marks.size >= nonceMax || own >= nonceMax / 4) return "Full"
        // remembered here even if the write fails: whether it is on the disk may be unknown then
        marks.set(mark, { expiresSeconds, device })
        const bytes = Cbor.encode(
          [...marks].map(([key, one]) => [Uint8Array.from(Buffer.from(key, "hex")), one.expiresSeconds])
        )
        yield* store.commit({ space, locals: [{ name: rowName, bytes }] })
        return "Fresh"
      }).pipe(Semaphore.withPermit(turn), Effect.uninterruptible)
  }
})

const load = Effect.fnUntraced(function* (store: JournalStore["Service"], space: SpaceId) {
  const marks = new Map<string, Mark>()
  const row = yield* store.local(space, rowName)
  if (Option.isNone(row)) return marks
  const decoded = Cbor.decode(row.value)
  const rows: ReadonlyArray<unknown> =
    Result.isSuccess(decoded) && Array.isArray(decoded.success) ? decoded.success : [undefined]
  for (const one of rows) {
    const [mark, expiresSeconds]: ReadonlyArray<unknown> = Array.isArray(one) ? one : []
    if (!(mark instanceof Uint8Array) || typeof expiresSeconds !== "number") {
      const what = "it is no list of requests that were taken"
      return yield* new JournalStoreError({ reason: new JournalCorrupt({ where: `the row ${rowName}`, what }) })
    }
    marks.set(Buffer.from(mark).toString("hex"), { expiresSeconds, device: undefined })
  }
  return marks
})

const markOf = (device: DeviceId, nonce: string): string =>
  Buffer.from(hash(markDomain, toBytes(device), Buffer.from(nonce, "ascii")).subarray(0, 16)).toString("hex")
