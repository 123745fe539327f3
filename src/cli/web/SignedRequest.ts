/**
 * Requests that a device signs with its own key, so that the device they are meant for knows who asks.
 *
 * A profile of HTTP Message Signatures (RFC 9421), Ed25519 by the device key. Exactly one signature has the tag below:
 *
 *     covered     at least "@method" "@target-uri" "content-digest" "aura-device"; further fields may be covered
 *     created     seconds; not more than 5 ahead of the receiver's clock
 *     expires     seconds; after created by at most 60, and still to come
 *     nonce       16 to 64 printable characters, never used before by this device while they count
 *     keyid       the signer's DeviceId, 64 lower-case hexadecimal digits
 *     alg         "ed25519", or left out
 *     tag         "aura/http/v1"
 *
 * `content-digest` holds the SHA-256 of the body as sent (RFC 9530), also of an empty one; `aura-device` is the DeviceId
 * that is to answer, so a request caught on its way is of no use against another device. A target is taken as the
 * client wrote it: a proxy that rewrites host or path breaks the signature. Checked here are form, times, target and
 * digest; the signature is the verifier's business, nonces are the book's (NonceBook.ts), rights the operation's.
 * Client certificates as another proof come with the certificates that `aura keys` will issue.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { SecureRandom } from "effect/crypto/SecureRandom"
import { Buffer } from "node:buffer"
import type { Keys, KeysError } from "../../effects/Keys.ts"
import { Time } from "../../effects/Time.ts"
import type { Claim } from "../../effects/Verifier.ts"
import { DeviceId } from "../../identity/Id.ts"
import * as MessageSignature from "./MessageSignature.ts"
import * as StructuredField from "./StructuredField.ts"

export const tag = "aura/http/v1"
export const lifetimeSecondsMax = 60
export const skewSecondsMax = 5
export const nonceCharactersMin = 16
export const nonceCharactersMax = 64
export const required: ReadonlyArray<string> = ["@method", "@target-uri", "content-digest", "aura-device"]

/** How long a request of ours counts: clocks may differ a little, captured requests are to age fast. */
const lifetimeSeconds = 30

/** What a client is about to send. */
export interface Request {
  readonly method: string
  /** Absolute, and written as it will be sent. */
  readonly url: string
  readonly body: Uint8Array
  /** The device that is to answer. */
  readonly target: DeviceId
}

/** A request as it came. */
export interface Received extends MessageSignature.Message {
  readonly body: Uint8Array
}

/** Who asks, if the claim verifies. */
export interface Proof {
  readonly device: DeviceId
  readonly nonce: string
  readonly expiresSeconds: number
  readonly claim: Claim
}

/** Why a request proves nothing; `reason` is for counting, `what` for who sent it. */
export interface Flaw {
  readonly reason: "unsigned" | "malformed" | "untimely" | "misdirected" | "altered"
  readonly what: string
}

/** The header fields that go with the request. Sign right before sending. */
export const signRequest = Effect.fn("SignedRequest.signRequest")(function* (
  keys: Pick<Keys["Service"], "device" | "sign">,
  request: Request
): Effect.fn.Return<Readonly<Record<string, string>>, KeysError, Time | SecureRandom> {
  const time = yield* Time
  const random = yield* SecureRandom
  const nonce = Buffer.from(yield* random.randomBytes(16)).toString("base64url")
  const created = Math.floor(time.now().millis / 1000)
  const headers = { "content-digest": MessageSignature.contentDigest(request.body), "aura-device": request.target }
  const fields: Readonly<Record<string, string>> = headers
  const targetUri = new URL(request.url).href
  const message = { method: request.method, targetUri, header: (name: string) => fields[name] }
  const parameters: StructuredField.Parameters = new Map([
    ["created", integer(created)],
    ["expires", integer(created + lifetimeSeconds)],
    ["nonce", text(nonce)],
    ["keyid", text(keys.device)],
    ["alg", text("ed25519")],
    ["tag", text(tag)]
  ])
  const base = MessageSignature.base(message, required, parameters)
  if (base === undefined) throw new TypeError("a request to be signed has an ASCII method and target")
  const signature = StructuredField.writeItem({ _tag: "Bytes", value: yield* keys.sign(base) })
  const input = MessageSignature.inputOf(required, parameters)
  return { ...headers, "signature-input": `aura=${input}`, signature: `aura=${signature}` }
})

/** Everything but the signature itself, cheapest first. `self` is the device that is asked. */
export const check = (request: Received, self: DeviceId, nowMillis: number): Result.Result<Proof, Flaw> => {
  const found = signatureOf(request)
  if (Result.isFailure(found)) return Result.fail(found.failure)
  const { covered, parameters, signature } = found.success
  const missing = required.filter((name) => !covered.includes(name))
  if (missing.length > 0) return flaw("malformed", `the signature has to cover ${missing.join(", ")} as well`)
  const device = Schema.decodeUnknownResult(DeviceId)(textOf(parameters, "keyid"))
  if (Result.isFailure(device)) return flaw("malformed", "keyid is no DeviceId: 64 lower-case hexadecimal digits")
  if (parameters.has("alg") && textOf(parameters, "alg") !== "ed25519")
    return flaw("malformed", 'alg has to be "ed25519"')
  const nonce = textOf(parameters, "nonce") ?? ""
  if (nonce.length < nonceCharactersMin || nonce.length > nonceCharactersMax)
    return flaw("malformed", `nonce has ${nonceCharactersMin} to ${nonceCharactersMax} characters`)
  const late = untimely(parameters, nowMillis / 1000)
  if (late !== undefined) return flaw("untimely", late)
  if (request.header("aura-device") !== self)
    return flaw("misdirected", "this is not the device that aura-device names")
  const digest = StructuredField.parseDictionary(request.header("content-digest") ?? "")
  if (Result.isFailure(digest) || !MessageSignature.isDigestOf(digest.success, request.body))
    return flaw("altered", "content-digest does not hold the SHA-256 of the body")
  const base = MessageSignature.base(request, covered, parameters)
  if (base === undefined) return flaw("malformed", "the signature covers what is not there or not known")
  const claim = { signer: device.success, message: base, signature }
  return Result.succeed({ device: device.success, nonce, expiresSeconds: integerOf(parameters, "expires") ?? 0, claim })
}

interface Found {
  readonly covered: ReadonlyArray<string>
  readonly parameters: StructuredField.Parameters
  readonly signature: Uint8Array
}

/** The one signature with our tag; others are none of our business. */
const signatureOf = (request: Received): Result.Result<Found, Flaw> => {
  const unsigned = (): Result.Result<Found, Flaw> =>
    flaw("unsigned", `the request needs a signature with tag="${tag}" (RFC 9421) by a device of the space`)
  const [inputText, signatureText] = [request.header("signature-input"), request.header("signature")]
  if (inputText === undefined || signatureText === undefined) return unsigned()
  const inputs = StructuredField.parseDictionary(inputText)
  if (Result.isFailure(inputs)) return flaw("malformed", `signature-input: ${inputs.failure}`)
  const signatures = StructuredField.parseDictionary(signatureText)
  if (Result.isFailure(signatures)) return flaw("malformed", `signature: ${signatures.failure}`)
  const ours = [...inputs.success].filter(([, member]) => textOf(member.parameters, "tag") === tag)
  const [label, input] = ours[0] ?? []
  if (label === undefined || input === undefined) return unsigned()
  if (ours.length > 1) return flaw("malformed", `there are ${ours.length} signatures with tag="${tag}", one is due`)
  if (
    input._tag !== "List" ||
    !input.items.every(({ item, parameters }) => item._tag === "Text" && parameters.size === 0)
  )
    return flaw("malformed", "signature-input is no list of names without parameters")
  const member = signatures.success.get(label)
  if (member?._tag !== "Item" || member.item._tag !== "Bytes")
    return flaw("malformed", `signature has no bytes under "${label}"`)
  const covered = input.items.map(({ item }) => String(item.value))
  return Result.succeed({ covered, parameters: input.parameters, signature: member.item.value })
}

const untimely = (parameters: StructuredField.Parameters, nowSeconds: number): string | undefined => {
  const created = integerOf(parameters, "created")
  const expires = integerOf(parameters, "expires")
  if (created === undefined || expires === undefined) return "created and expires are due, in whole seconds"
  if (expires <= created || expires - created > lifetimeSecondsMax)
    return `expires comes 1 to ${lifetimeSecondsMax} seconds after created`
  if (created > nowSeconds + skewSecondsMax)
    return `created lies ${Math.ceil(created - nowSeconds)} seconds ahead of the clock here`
  if (expires <= nowSeconds)
    return `the request expired ${Math.floor(nowSeconds - expires)} seconds ago by the clock here`
  return undefined
}

const flaw = (reason: Flaw["reason"], what: string): Result.Result<never, Flaw> => Result.fail({ reason, what })

const integer = (value: number): StructuredField.Item => ({ _tag: "Integer", value })
const text = (value: string): StructuredField.Item => ({ _tag: "Text", value })

const integerOf = (parameters: StructuredField.Parameters, key: string): number | undefined => {
  const item = parameters.get(key)
  return item?._tag === "Integer" ? item.value : undefined
}

const textOf = (parameters: StructuredField.Parameters, key: string): string | undefined => {
  const item = parameters.get(key)
  return item?._tag === "Text" ? item.value : undefined
}
