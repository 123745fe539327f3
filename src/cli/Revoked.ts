/**
 * That this device was put out of a space: how commands say so, as data and in words, and what there is to do.
 *
 * The words are for who runs this device, so they name the device that did it.
 */
import * as Schema from "effect/Schema"
import { printable, time } from "./Text.ts"

/** Part of the data of several commands; of an error that refuses a write, the same fields. */
export const Revoked = Schema.Struct({
  by: Schema.String,
  byName: Schema.String,
  isByRoot: Schema.Boolean,
  atMillis: Schema.Finite,
  reason: Schema.String
})
export type Revoked = typeof Revoked.Type

export const code = "DeviceRevoked"

export const dataOf = ({ atMillis, by, byName, isByRoot, reason }: Revoked): Revoked => ({
  by,
  byName,
  isByRoot,
  atMillis,
  reason
})

/** "by Anna's laptop (1f0c3a9b2e) at 2026-11-23T12:00:00Z: the phone was lost" */
export const words = ({ atMillis, by, byName, isByRoot, reason }: Revoked): string => {
  const who = isByRoot ? "with the recovery words" : `by ${printable(byName)} (${by.slice(0, 10)})`
  return `${who} at ${time(atMillis)}: ${reason === "" ? "no reason given" : printable(reason)}`
}

export const sentence = (revoked: Revoked): string =>
  `this device was revoked ${words(revoked)}; what it has stays readable, what it writes would count nowhere`

/** A revocation is final for a key; only root undoes it. */
export const waysOn =
  'to come back, join as a new device: "aura pair" at a member, then "aura join CODE --data FRESH-DIRECTORY" here; if it was done wrongly, the recovery words undo it: aura space recover --revoke WHO-DID-IT'
