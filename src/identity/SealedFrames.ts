/**
 * One direction of an open channel: frames sealed in order on one side, opened in the same order on the other.
 *
 * A frame is kind (1 byte) ‖ ChaCha20-Poly1305 of the body, the kind as associated data and a counter as nonce. After
 * `framesPerKey` frames the key is replaced by Noise's REKEY, so a key taken from memory opens nothing from before.
 * What does not open ends the direction for good, there is no second try: so replay, reordering, loss, reflection and
 * truncation all show, the last one at the frame after it.
 *
 * The counters are state, hidden in the functions made here, because a copy of them would repeat a nonce. What a kind
 * means is the caller's business; lengths and moments are not hidden.
 */
import * as Noise from "./Noise.ts"

/** Largest body of a frame, in bytes. */
export const bodyBytesMax = 512 * 1024

/** What sealing adds to a body, in bytes: kind and tag. */
export const overheadBytes = 1 + Noise.tagBytes

/** Frames under one key. */
export const framesPerKey = 2 ** 16

/** `kind` from 0 to 255 travels in the clear, sealed against change. A body beyond the limit is a defect. */
export type Seal = (kind: number, body: Uint8Array) => Uint8Array

/** Once it has answered `Broken` it answers nothing else. The body belongs to the caller. */
export type Open = (frame: Uint8Array) => Opened

export type Opened =
  | { readonly _tag: "Frame"; readonly kind: number; readonly body: Uint8Array }
  | { readonly _tag: "Broken"; readonly what: string }

export const sealer = (suite: Noise.Suite, key: Uint8Array): Seal => {
  const next = counted(suite, key)
  return (kind, body) => {
    if (!Number.isInteger(kind) || kind < 0 || kind > 255) throw new RangeError(`no kind of frame: ${kind}`)
    if (body.length > bodyBytesMax)
      throw new RangeError(`a frame has at most ${bodyBytesMax} bytes, not ${body.length}`)
    const { cipher, nonce } = next()
    const frame = cipher.seal(nonce, Uint8Array.of(kind), body, 1)
    frame[0] = kind
    return frame
  }
}

export const opener = (suite: Noise.Suite, key: Uint8Array): Open => {
  const next = counted(suite, key)
  let broken: Opened | undefined
  const breakWith = (what: string): Opened => (broken = { _tag: "Broken", what })
  return (frame) => {
    if (broken !== undefined) return broken
    if (frame.length < overheadBytes || frame.length > bodyBytesMax + overheadBytes) {
      return breakWith(`a frame has ${overheadBytes} to ${bodyBytesMax + overheadBytes} bytes, not ${frame.length}`)
    }
    const { cipher, nonce } = next()
    const body = cipher.open(nonce, frame.subarray(0, 1), frame.subarray(1))
    if (body === undefined) return breakWith("a frame does not open: altered, repeated, left out or out of order")
    return { _tag: "Frame", kind: frame[0] ?? 0, body }
  }
}

/** The cipher and nonce of the next frame. The counter runs on over keys; its end at 2^53 is out of reach. */
const counted = (suite: Noise.Suite, key: Uint8Array) => {
  let cipher = suite.cipher(key)
  let frames = 0
  return () => {
    if (frames > 0 && frames % framesPerKey === 0) cipher = suite.cipher(Noise.nextKey(cipher))
    return { cipher, nonce: Noise.nonceOf(frames++) }
  }
}
