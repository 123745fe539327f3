/** Certificates in a real directory, on a virtual clock that begins in 2030: made, kept, renewed, refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { X509Certificate } from "node:crypto"
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PrivateAuthority from "../../src/handlers/node/PrivateAuthority.ts"

/** A directory for one test, removed after it. */
const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "aura-authority-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

const startMillis = Date.parse("2030-01-01T00:00:00Z")
const days = (count: number) => count * 86_400_000

const inDirectory = <A, E, R>(check: (directory: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(startMillis)
    return yield* check(join(yield* temporary, "tls"))
  }).pipe(Effect.scoped)

const open = (directory: string, names: ReadonlyArray<string> = []) =>
  PrivateAuthority.open({ directory, names }).pipe(Effect.flatMap(({ credentials }) => credentials))

const leafOf = ({ certificates }: PrivateAuthority.Credentials) => new X509Certificate(certificates)

const reasonOf = (effect: Effect.Effect<unknown, PrivateAuthority.AuthorityError>) =>
  Effect.map(Effect.flip(effect), ({ message, reason }) => `${reason._tag}: ${message}`)

describe("PrivateAuthority", () => {
  it.effect("makes an authority that vouches for the names of this machine and those wanted", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const made = yield* open(directory, ["Aura.Example.org", "192.0.2.7", "2001:db8::7"])
        const [leaf, authority] = [leafOf(made), new X509Certificate(made.authority)]
        for (const name of ["localhost", "127.0.0.1", "::1", "aura.example.org", "192.0.2.7", "2001:db8::7"]) {
          assert.isTrue(PrivateAuthority.covers(leaf, name), name)
        }
        assert.isFalse(PrivateAuthority.covers(leaf, "example.org"))
        assert.isTrue(authority.ca)
        assert.isFalse(leaf.ca)
        assert.isTrue(leaf.checkIssued(authority) && leaf.verify(authority.publicKey))
        assert.strictEqual(leaf.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1")
        assert.match(made.authorityPin, /^[A-Za-z0-9_-]{43}$/)
        assert.notStrictEqual(made.authorityPin, made.serverPin)
        assert.strictEqual(made.authorityPin, PrivateAuthority.pinOf(authority))
      })
    )
  )

  it.effect("keeps directory and files to itself", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* open(directory)
        assert.strictEqual(statSync(directory).mode & 0o777, 0o700)
        assert.deepStrictEqual(readdirSync(directory).toSorted(), ["authority.pem", "server.pem"])
        for (const file of readdirSync(directory)) {
          assert.strictEqual(statSync(join(directory, file)).mode & 0o777, 0o600, file)
        }
      })
    )
  )

  it.effect("gives the same credentials at the next start", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const [first, second] = [yield* open(directory), yield* open(directory)]
        assert.deepStrictEqual(
          { ...second, key: Redacted.value(second.key) },
          { ...first, key: Redacted.value(first.key) }
        )
      })
    )
  )

  it.effect("makes a new certificate under the same authority when a name is missing", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const first = yield* open(directory)
        const second = yield* open(directory, ["two.example.org"])
        assert.strictEqual(second.authorityPin, first.authorityPin)
        assert.notStrictEqual(second.serverPin, first.serverPin)
        assert.isTrue(PrivateAuthority.covers(leafOf(second), "two.example.org"))
      })
    )
  )

  it.effect("renews the certificate before it runs out, also while it runs", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const { credentials } = yield* PrivateAuthority.open({ directory, names: [] })
        const first = yield* credentials
        yield* TestClock.adjust(days(PrivateAuthority.serverDays / 2))
        assert.strictEqual(yield* credentials, first)
        yield* TestClock.adjust(days(PrivateAuthority.serverDays / 4))
        const second = yield* credentials
        assert.isAbove(second.validUntilMillis, first.validUntilMillis)
        assert.strictEqual(second.authorityPin, first.authorityPin)
        assert.strictEqual((yield* open(directory)).serverPin, second.serverPin)
      })
    )
  )

  it.effect("says so when the authority itself has run out or the clock is far behind", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* open(directory)
        yield* TestClock.setTime(startMillis - days(2))
        assert.include(yield* reasonOf(open(directory)), "AuthorityExpired")
        yield* TestClock.setTime(startMillis + days(PrivateAuthority.authorityDays))
        const reason = yield* reasonOf(open(directory))
        assert.include(reason, "AuthorityExpired")
        assert.include(reason, "authority.pem is valid from 2029-12-31 until 2049")
      })
    )
  )

  it.effect("names the damaged file and leaves it as it is", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* open(directory)
        for (const file of ["authority.pem", "server.pem"]) {
          const path = join(directory, file)
          const whole = readFileSync(path)
          const flipped = Array.from({ length: 60 }, (_, index) => {
            const copy = Buffer.from(whole)
            copy[Math.floor((index * whole.length) / 60)]! ^= 4
            return copy
          })
          const cut = [Buffer.alloc(0), whole.subarray(0, 200), whole.subarray(300), Buffer.concat([whole, whole])]
          for (const damage of [...flipped, ...cut, Buffer.alloc(9000, "x")]) {
            writeFileSync(path, damage)
            const reason = yield* reasonOf(open(directory))
            assert.match(reason, /^Authority(Damaged|Foreign): /)
            assert.include(reason, file)
            assert.deepStrictEqual(readFileSync(path), damage)
          }
          writeFileSync(path, whole)
        }
        yield* open(directory)
      })
    )
  )

  it.effect("refuses a server certificate of another authority, and an authority that is none", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const other = `${directory}-other`
        yield* open(directory)
        yield* open(other)
        const [ours, theirs] = [join(directory, "server.pem"), join(other, "server.pem")]
        const whole = readFileSync(ours)
        writeFileSync(ours, readFileSync(theirs))
        assert.include(yield* reasonOf(open(directory)), "AuthorityForeign")
        writeFileSync(ours, whole)
        const [key, leaf] = [
          readFileSync(ours, "utf8").split("-----BEGIN CERTIFICATE-----")[0],
          leafOf(yield* open(directory)).toString()
        ]
        writeFileSync(join(directory, "authority.pem"), `${key}${leaf}`)
        assert.include(yield* reasonOf(open(directory)), "AuthorityForeign")
      })
    )
  )

  it.effect("does not use a directory or a key that others may read", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* open(directory)
        chmodSync(join(directory, "authority.pem"), 0o644)
        assert.include(yield* reasonOf(open(directory)), "authority.pem")
        chmodSync(join(directory, "authority.pem"), 0o600)
        chmodSync(directory, 0o755)
        assert.include(yield* reasonOf(open(directory)), "AuthorityUnavailable")
      })
    )
  )

  it.effect("refuses what no certificate can name", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        for (const name of ["", "two words", "*.example.org", "-a", "https://a", "a:1", "a..b", `${"a".repeat(254)}`]) {
          assert.include(yield* reasonOf(open(directory, [name])), "AuthorityNameInvalid")
        }
      })
    )
  )

  it.effect("prints no key", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const credentials = yield* open(directory)
        assert.notInclude(JSON.stringify(credentials), "PRIVATE KEY")
        assert.notInclude(credentials.certificates, "PRIVATE KEY")
      })
    )
  )
})
