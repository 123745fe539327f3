/**
 * On whose behalf an entry was written, and under which idempotency key: of two entries with one pair the earlier counts.
 *
 * A device that writes for another one carries what that other signed, so that everybody can see that it was asked:
 * without it a server could write in the name of whoever it likes. In an entry's body (journal/Entry.ts) a request is
 *     [key, requester (32)]                                         of the feed's own device
 *     [key, requester (32), payload (32), time, signature (64)]     of another one
 * and its signature is by the requester's device key over
 *     "aura/request/v1" NUL ‖ SHA-256("aura/request/v1" NUL ‖ CBOR [space, target, requester, operation, key, payload, time])
 * `target` = the device that writes it, so no other one can; `operation` = the type of the entry's one fact; `payload` =
 * SHA-256("aura/payload/v1" NUL ‖ the payload's JSON, as it was sent, in UTF-8): what was asked for does not travel, but
 * can be shown; `time` = the requester's entry time: an entry carries it for a day at most.
 */
import { domain, hash } from "../identity/Hash.ts"
import { deviceId, toBytes, type DeviceId, type SpaceId } from "../identity/Id.ts"
import { signatureBytes, signed } from "../identity/Signing.ts"
import * as Cbor from "./Cbor.ts"
import * as Clock from "./Clock.ts"

export interface Request {
  readonly requester: DeviceId
  readonly key: string
  /** What makes it the requester's, where that is not the device that writes. */
  readonly envelope?: Envelope | undefined
}

export interface Envelope {
  /** Digest of the payload as it was sent. */
  readonly payload: Uint8Array
  /** The requester's entry time. */
  readonly time: number
  readonly signature: Uint8Array
}

/** What a requester signs. */
export interface Asked {
  readonly space: SpaceId
  /** The device that is to write it. */
  readonly target: DeviceId
  readonly requester: DeviceId
  readonly operation: string
  readonly key: string
  readonly payload: Uint8Array
  readonly time: number
}

export const requestKeyCharactersMax = 128

/** An entry may be this much later, or earlier, than what it was asked for with: as long as answers are kept. */
export const requestAgeMax = 24 * 3_600_000 * Clock.ticksPerMilli

const requestDomain = domain("aura/request/v1")
const payloadDomain = domain("aura/payload/v1")

export const message = ({ key, operation, payload, requester, space, target, time }: Asked): Uint8Array =>
  signed(
    requestDomain,
    hash(
      requestDomain,
      Cbor.encode([toBytes(space), toBytes(target), toBytes(requester), operation, key, payload, time])
    )
  )

export const payloadDigest = (json: string): Uint8Array => hash(payloadDomain, new TextEncoder().encode(json))

/** The signature that an entry has to carry for somebody else's request: whose, over what. Undefined without one. */
export const claim = (
  { envelope, key, requester }: Request,
  asked: Pick<Asked, "space" | "target" | "operation">
): { readonly signer: DeviceId; readonly message: Uint8Array; readonly signature: Uint8Array } | undefined => {
  if (envelope === undefined) return undefined
  const { payload, signature, time } = envelope
  return { signer: requester, message: message({ ...asked, requester, key, payload, time }), signature }
}

export const toCbor = ({ envelope, key, requester }: Request): Cbor.Cbor =>
  envelope === undefined
    ? [key, toBytes(requester)]
    : [key, toBytes(requester), envelope.payload, envelope.time, envelope.signature]

/** Undefined for what is no request. */
export const fromCbor = (value: Cbor.Cbor): Request | undefined => {
  if (!Array.isArray(value) || (value.length !== 2 && value.length !== 5)) return undefined
  const [key, requester, payload, time, signature] = value as ReadonlyArray<Cbor.Cbor>
  if (typeof key !== "string" || key.length === 0 || key.length > requestKeyCharactersMax) return undefined
  if (!isBytes(requester, 32)) return undefined
  if (value.length === 2) return { requester: deviceId(requester), key }
  if (!isBytes(payload, 32) || !isBytes(signature, signatureBytes)) return undefined
  if (typeof time !== "number" || !Clock.isTime(time)) return undefined
  return { requester: deviceId(requester), key, envelope: { payload, time, signature } }
}

const isBytes = (value: Cbor.Cbor | undefined, length: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length === length
