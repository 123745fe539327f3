/**
 * The record that founds a space: its hash is the space's name, so nobody can found another space under that name.
 *
 * Version 1: the deterministic CBOR of [1, root (32), creator (32), app, nonce (16), time]
 *     root     public key of the recovery key, which belongs to no device: only it undoes restrictions
 *     creator  the first device, another key than root: the loss of a device must not be the loss of the root
 *     app      name of the application, for people
 * SpaceId = SHA-256("aura/space/v1" NUL ‖ record). The record is the payload of `aura.space.create`, the first fact of
 * the first entry of the creator's first authority feed; a peer refuses a space whose record does not hash to its name.
 */
import * as Result from "effect/Result"
import * as Bytes from "../identity/Bytes.ts"
import { domain, hash } from "../identity/Hash.ts"
import { deviceId, spaceId, toBytes, type DeviceId, type SpaceId } from "../identity/Id.ts"
import * as Cbor from "./Cbor.ts"
import * as Clock from "./Clock.ts"

export interface Genesis {
  readonly root: DeviceId
  readonly creator: DeviceId
  readonly app: string
  readonly nonce: Uint8Array
  readonly time: number
}

export interface GenesisMalformed {
  readonly _tag: "GenesisMalformed"
  readonly what: string
}

/** Bytes of the nonce. */
export const nonceBytes = 16

/** Lower-case letters, digits and `-`, beginning with a letter; 1 to 64 characters. */
export const isAppName = (name: unknown): name is string =>
  typeof name === "string" && /^[a-z][a-z0-9-]{0,63}$/.test(name)

const spaceDomain = domain("aura/space/v1")
const version = 1

/** Dies on a record that `decode` would refuse: nobody could ever join such a space. */
export const encode = (genesis: Genesis): { readonly space: SpaceId; readonly bytes: Uint8Array } => {
  const { root, creator, app, nonce, time } = genesis
  if (root === creator || !isAppName(app) || nonce.length !== nonceBytes || !Clock.isTime(time)) {
    throw new RangeError("no space can be founded so: see journal/Genesis.ts")
  }
  const bytes = Cbor.encode([version, toBytes(root), toBytes(creator), app, nonce, time])
  return { space: spaceId(hash(spaceDomain, bytes)), bytes }
}

export const decode = (bytes: Uint8Array): Result.Result<Genesis & { readonly space: SpaceId }, GenesisMalformed> => {
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  const fields = decoded.success
  if (!Array.isArray(fields) || fields[0] !== version) return malformed(`not a record of version ${version}`)
  if (fields.length !== 6) return malformed(`${fields.length} fields instead of 6`)
  const [, root, creator, app, nonce, time] = fields as ReadonlyArray<Cbor.Cbor>
  if (!isKey(root) || !isKey(creator)) return malformed("root and creator are keys of 32 bytes")
  if (Bytes.isSame(root, creator)) return malformed("root is the creator's own key")
  if (!isAppName(app)) return malformed("app is no application name")
  if (!(nonce instanceof Uint8Array) || nonce.length !== nonceBytes)
    return malformed(`nonce is not ${nonceBytes} bytes`)
  if (typeof time !== "number" || !Clock.isTime(time)) return malformed("time out of range")
  return Result.succeed({
    space: spaceId(hash(spaceDomain, bytes)),
    root: deviceId(root),
    creator: deviceId(creator),
    app,
    nonce,
    time
  })
}

const isKey = (value: Cbor.Cbor | undefined): value is Uint8Array => value instanceof Uint8Array && value.length === 32

const malformed = (what: string): Result.Result<never, GenesisMalformed> =>
  Result.fail({ _tag: "GenesisMalformed", what: `genesis record: ${what}` })
