/**
 * The issuer's side of pairing codes: which are out, for what, until when, and how often somebody guessed wrong.
 *
 * A code lives in this process's memory alone, as a proof key: it is redeemed only here, once, within ten minutes, and
 * after five wrong proofs all codes burn, whoever gave them: with several codes out nobody can tell which one was guessed
 * at. A restart burns them too. Taking a code out and admitting its bearer happen in one turn, so it is never used twice.
 */
import type * as Redacted from "effect/Redacted"
import type { SpaceId } from "../identity/Id.ts"
import * as PairingCode from "../sync/PairingCode.ts"
import type { Right } from "../trust/Fact.ts"

/** Minutes a code lives. */
export const codeMinutes = 10

/** Wrong proofs after which every code that is out burns. */
export const wrongProofsMax = 5

/** Codes out at one time. */
export const codesMax = 16

/** What the bearer of a code gets. */
export interface Offer {
  readonly space: SpaceId
  readonly rights: ReadonlyArray<Right>
  readonly expiresMillis: number
}

export interface PairingDesk {
  /** False when too many codes are out that have not expired. */
  readonly issue: (secret: Redacted.Redacted<Uint8Array>, offer: Offer, nowMillis: number) => boolean
  /** Takes the code that this proof belongs to. */
  readonly redeem: (
    channelKey: Uint8Array,
    proof: Uint8Array,
    nowMillis: number
  ) => { readonly _tag: "Redeemed"; readonly offer: Offer } | { readonly _tag: "Refused"; readonly reason: string }
}

export const make = (): PairingDesk => {
  let codes: Array<{ readonly key: Redacted.Redacted<Uint8Array>; readonly offer: Offer }> = []
  let wrong = 0
  return {
    issue: (secret, offer, nowMillis) => {
      codes = codes.filter((code) => code.offer.expiresMillis >= nowMillis)
      // guesses while nothing was out guessed at nothing
      if (codes.length === 0) wrong = 0
      if (codes.length >= codesMax) return false
      codes.push({ key: PairingCode.proofKey(secret), offer })
      return true
    },
    redeem: (channelKey, proof, nowMillis) => {
      const index = codes.findIndex(({ key }) => PairingCode.isProof(key, channelKey, proof))
      if (index < 0) {
        wrong++
        if (wrong >= wrongProofsMax) {
          codes = []
          wrong = 0
        }
        return { _tag: "Refused", reason: "this code is not valid here: used, expired, or mistyped; ask for a new one" }
      }
      const [code] = codes.splice(index, 1)
      if (code!.offer.expiresMillis < nowMillis)
        return { _tag: "Refused", reason: "this code has expired; ask for a new one" }
      return { _tag: "Redeemed", offer: code!.offer }
    }
  }
}
