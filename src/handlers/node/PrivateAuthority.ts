/**
 * The certificate authority of one installation: makes itself and a server certificate at the first start, so that TLS
 * works without anybody buying, copying or accepting anything.
 *
 * In a directory that is ours alone (PrivateDirectory.ts), each file PEM, mode 0600, replaced as a whole:
 *
 *     authority.pem   PKCS#8 key and self-signed certificate, ECDSA P-256, 20 years, may sign servers only
 *     server.pem      PKCS#8 key, certificate for the wanted names, 398 days, and the authority's certificate
 *
 * The authority is never replaced by itself, because peers know it by its pin (SHA-256 of its public key). The server's
 * certificate and key are made anew when a third of its time is left or a wanted name is missing. What is found and is
 * not ours, or not whole, is an error that names the file; nothing is overwritten.
 *
 * The device key plays no part: browsers refuse Ed25519 certificates, and who a device is, the inner channel proves. It
 * does not revoke, and does not issue client certificates. Making certificates loads a large library (half a second);
 * a start that finds its files does not.
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { createHash, createPrivateKey, sign, verify, X509Certificate, type KeyObject } from "node:crypto"
import { isIP } from "node:net"
import { hostname } from "node:os"
import { join } from "node:path"
import * as PrivateDirectory from "./PrivateDirectory.ts"
import type { Disk } from "./PrivatePath.ts"

/** A file is not what was written, or not whole. */
export class AuthorityDamaged extends Data.TaggedError("AuthorityDamaged")<{
  readonly where: string
  readonly what: string
}> {
  override get message(): string {
    return `${this.where} is damaged (${this.what}): restore it from a backup, or move it away to make a new one`
  }
}

/** A file is whole and belongs to somebody else's authority. */
export class AuthorityForeign extends Data.TaggedError("AuthorityForeign")<{
  readonly where: string
  readonly what: string
}> {
  override get message(): string {
    return `${this.where} is not of this authority (${this.what}): move it away to let a new one be made`
  }
}

/** The authority itself has run out, or the clock is wrong. */
export class AuthorityExpired extends Data.TaggedError("AuthorityExpired")<{
  readonly where: string
  readonly from: string
  readonly until: string
}> {
  override get message(): string {
    return `${this.where} is valid from ${this.from} until ${this.until}: check the clock, or move it away and give peers the new pin`
  }
}

/** Not a name that a certificate can carry. */
export class AuthorityNameInvalid extends Data.TaggedError("AuthorityNameInvalid")<{ readonly name: string }> {
  override get message(): string {
    return `"${this.name}" is no name for a server: a host name (letters, digits, "-", "."), or an IP address`
  }
}

/** The directory can't be used; `what` says why. */
export class AuthorityUnavailable extends Data.TaggedError("AuthorityUnavailable")<{ readonly what: string }> {
  override get message(): string {
    return `no certificate authority: ${this.what}`
  }
}

export class AuthorityError extends Data.TaggedError("AuthorityError")<{
  readonly reason: AuthorityDamaged | AuthorityForeign | AuthorityExpired | AuthorityNameInvalid | AuthorityUnavailable
}> {
  override get message(): string {
    return this.reason.message
  }
}

export interface PrivateAuthorityOptions {
  /** Created if missing (DATA/tls). One process uses it at a time. */
  readonly directory: string
  /** Names and IP addresses beside localhost, 127.0.0.1, ::1 and the host's own name. */
  readonly names: ReadonlyArray<string>
  readonly disk?: Disk
}

/** What a TLS server presents, and what its clients check. */
export interface Credentials {
  /** The server's certificate and after it the authority's, which a client needs that knows only the pin. PEM. */
  readonly certificates: string
  /** PKCS#8, PEM. */
  readonly key: Redacted.Redacted<string>
  /** The authority's certificate, PEM: what others put among their roots. */
  readonly authority: string
  /** base64url of SHA-256 of the SPKI. */
  readonly authorityPin: string
  readonly serverPin: string
  readonly validUntilMillis: number
}

export interface PrivateAuthority {
  /** Made anew first when due; the same value until then. */
  readonly credentials: Effect.Effect<Credentials, AuthorityError>
}

export const authorityDays = 20 * 365
export const serverDays = 398

/** Opens or makes the authority and makes sure of a server certificate. */
export const open = Effect.fnUntraced(function* (options: PrivateAuthorityOptions) {
  const names = wantedNames(options.names)
  for (const name of options.names) if (!isName(name)) return yield* fail(new AuthorityNameInvalid({ name }))
  const directory = yield* unavailable(PrivateDirectory.open(options.directory, options.disk))
  const authority = yield* openAuthority(directory)
  let known: Credentials | undefined
  const credentials = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (known === undefined || isDue(known, now)) known = yield* openServer(directory, authority, names, now)
    return known
  })
  yield* credentials
  return { credentials } satisfies PrivateAuthority
})

/** The pin of a certificate's key. */
export const pinOf = (certificate: X509Certificate): string =>
  createHash("sha256")
    .update(certificate.publicKey.export({ format: "der", type: "spki" }))
    .digest("base64url")

/** True if the certificate names this host or address. */
export const covers = (certificate: X509Certificate, name: string): boolean =>
  (isIP(name) === 0 ? certificate.checkHost(name, { subject: "never" }) : certificate.checkIP(name)) !== undefined

interface Issuer {
  readonly certificate: X509Certificate
  readonly key: KeyObject
}

const authorityFile = "authority.pem"
const serverFile = "server.pem"
const fileBytesMax = 64 * 1024
const dayMillis = 86_400_000
const skewMillis = 3_600_000
const encoder = new TextEncoder()
const decoder = new TextDecoder()
const challenge = encoder.encode("aura/tls/pair/v1\0")

const openAuthority = Effect.fnUntraced(function* (directory: PrivateDirectory.PrivateDirectory) {
  const where = join(directory.path, authorityFile)
  const now = yield* Clock.currentTimeMillis
  const stored = yield* unavailable(directory.read(authorityFile, fileBytesMax))
  let bytes = Option.getOrUndefined(stored)
  if (bytes === undefined) {
    const { makeAuthority } = yield* certificateMaker
    bytes = encoder.encode(
      yield* Effect.promise(() => makeAuthority(now - skewMillis, now + authorityDays * dayMillis))
    )
    yield* unavailable(directory.replace(authorityFile, [bytes]))
  }
  const { certificates, key } = yield* parsed(where, bytes, 1)
  const certificate = certificates[0]!
  if (!certificate.ca || !certificate.verify(certificate.publicKey)) {
    return yield* fail(new AuthorityForeign({ where, what: "its certificate is not a self-signed authority's" }))
  }
  const [from, until] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
  if (now < from || now >= until) {
    return yield* fail(new AuthorityExpired({ where, from: day(from), until: day(until) }))
  }
  return { certificate, key } satisfies Issuer
})

const openServer = Effect.fnUntraced(function* (
  directory: PrivateDirectory.PrivateDirectory,
  authority: Issuer,
  names: ReadonlyArray<string>,
  now: number
) {
  const where = join(directory.path, serverFile)
  const stored = yield* unavailable(directory.read(serverFile, fileBytesMax))
  if (Option.isSome(stored)) {
    const { certificates, key } = yield* parsed(where, stored.value, 2)
    const [certificate, issuer] = certificates
    if (!issuer!.raw.equals(authority.certificate.raw) || !certificate!.verify(issuer!.publicKey)) {
      return yield* fail(new AuthorityForeign({ where, what: "its certificate was issued by somebody else" }))
    }
    const found = credentialsOf(authority, certificate!, key)
    if (!isDue(found, now) && names.every((name) => covers(certificate!, name))) return found
  }
  const until = Math.min(now + serverDays * dayMillis, Date.parse(authority.certificate.validTo))
  const { makeServer } = yield* certificateMaker
  const text = yield* Effect.promise(() => makeServer(authority, names, now - skewMillis, until))
  yield* unavailable(directory.replace(serverFile, [encoder.encode(text)]))
  const { certificates, key } = yield* parsed(where, encoder.encode(text), 2)
  return credentialsOf(authority, certificates[0]!, key)
})

const certificateMaker = Effect.promise(() => import("./CertificateMaker.ts"))

const credentialsOf = (authority: Issuer, certificate: X509Certificate, key: KeyObject): Credentials => ({
  certificates: `${certificate}${authority.certificate}`,
  key: Redacted.make(key.export({ format: "pem", type: "pkcs8" }).toString()),
  authority: authority.certificate.toString(),
  authorityPin: pinOf(authority.certificate),
  serverPin: pinOf(certificate),
  validUntilMillis: Date.parse(certificate.validTo)
})

const isDue = ({ validUntilMillis }: Credentials, now: number): boolean =>
  validUntilMillis - now < (serverDays * dayMillis) / 3

/** The key and the certificates of a file, of which the first belongs to the key. */
const parsed = (
  where: string,
  bytes: Uint8Array,
  count: number
): Effect.Effect<
  { readonly certificates: ReadonlyArray<X509Certificate>; readonly key: KeyObject },
  AuthorityError
> => {
  const text = decoder.decode(bytes)
  const damaged = (what: string) => fail(new AuthorityDamaged({ where, what }))
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/gu) ?? []
  if (blocks.length !== count) return damaged(`it holds ${blocks.length} certificates instead of ${count}`)
  const read = Result.try(() => {
    const certificates = blocks.map((block) => new X509Certificate(block))
    const key = createPrivateKey(text)
    // PEM readers forgive much; what we wrote has one form.
    return { certificates, key, isExact: text === pemOf(key, certificates), isPair: isPair(key, certificates[0]!) }
  })
  if (Result.isFailure(read)) return damaged("a certificate or the key can't be read")
  const { certificates, isExact, isPair: belong, key } = read.success
  if (!isExact) return damaged("it is not in the form it was written in")
  if (!belong) return damaged("the key does not belong to the certificate")
  return Effect.succeed({ certificates, key })
}

const pemOf = (key: KeyObject, certificates: ReadonlyArray<X509Certificate>): string =>
  key.export({ format: "pem", type: "pkcs8" }).toString() + certificates.join("")

/** By signing: a key file may carry the right public key beside a wrong secret. */
const isPair = (key: KeyObject, certificate: X509Certificate): boolean =>
  verify("sha256", challenge, certificate.publicKey, sign("sha256", challenge, key))

const wantedNames = (configured: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(
    ["localhost", "127.0.0.1", "::1", hostname(), ...configured].filter(isName).map((name) => name.toLowerCase())
  )
]

const isName = (name: string): boolean =>
  isIP(name) !== 0 ||
  (name.length <= 253 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/iu.test(name))

const day = (millis: number): string => new Date(millis).toISOString().slice(0, 10)

const fail = (reason: AuthorityError["reason"]) => Effect.fail(new AuthorityError({ reason }))

const unavailable = <A>(effect: Effect.Effect<A, PrivateDirectory.DirectoryError>): Effect.Effect<A, AuthorityError> =>
  Effect.mapError(effect, (error) => new AuthorityError({ reason: new AuthorityUnavailable({ what: error.message }) }))
