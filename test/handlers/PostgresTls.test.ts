/** The way to a database over TLS, on a server that takes nobody without a certificate of its own authority. */
import "reflect-metadata"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as x509 from "@peculiar/x509"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { JournalStoreError } from "../../src/effects/JournalStore.ts"
import * as PostgresJournal from "../../src/handlers/node/PostgresJournal.ts"
import { spaceId } from "../../src/identity/Id.ts"
import { makeCluster, type Cluster } from "./postgresCluster.ts"

x509.cryptoProvider.set(crypto)
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
const day = 24 * 60 * 60 * 1000

interface Issued {
  readonly keys: CryptoKeyPair
  readonly certificate: x509.X509Certificate
}

const times = () => ({ notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) })

const makeAuthority = async (name: string): Promise<Issued> => {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...times(),
    name: `CN=${name}`,
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)]
  })
  return { keys, certificate }
}

const issue = async (authority: Issued, name: string, names: ReadonlyArray<x509.JsonGeneralName>): Promise<Issued> => {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const certificate = await x509.X509CertificateGenerator.create({
    ...times(),
    subject: `CN=${name}`,
    issuer: authority.certificate.subject,
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension([...names])]
  })
  return { keys, certificate }
}

const directory = mkdtempSync(join(tmpdir(), "aura-postgres-tls-"))
const file = (name: string): string => join(directory, name)

/** `NAME.crt` and `NAME.key`. */
const keep = async (name: string, { certificate, keys }: Issued): Promise<void> => {
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey)
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/gu) ?? []
  writeFileSync(file(`${name}.crt`), `${certificate.toString("pem")}\n`)
  writeFileSync(file(`${name}.key`), `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`, {
    mode: 0o600
  })
}

let cluster: Cluster
beforeAll(async () => {
  chmodSync(directory, 0o755)
  const [ours, other] = [await makeAuthority("ours"), await makeAuthority("another")]
  await keep("ours", ours)
  await keep("other", other)
  await keep("server", await issue(ours, "server", [{ type: "ip", value: "127.0.0.1" }]))
  await keep("aura", await issue(ours, "aura", []))
  await keep("stranger", await issue(other, "aura", []))
  await keep("somebody", await issue(ours, "somebody", []))
  cluster = await makeCluster({
    settings: {
      ssl: "on",
      ssl_cert_file: file("server.crt"),
      ssl_key_file: file("server.key"),
      ssl_ca_file: file("ours.crt")
    },
    prepare: (databaseDir) => {
      const { gid, uid } = statSync(databaseDir)
      chownSync(file("server.key"), uid, gid)
      writeFileSync(join(databaseDir, "pg_hba.conf"), "hostssl all all 127.0.0.1/32 cert\n")
    }
  })
}, 60_000)
afterAll(async () => {
  await cluster.remove()
  rmSync(directory, { recursive: true })
})

const whole = { sslmode: "verify-full", sslrootcert: "ours.crt", sslcert: "aura.crt", sslkey: "aura.key" }

const open = (parameters: Readonly<Record<string, string>>) => {
  const query = Object.entries(parameters).map(
    ([name, value]) => `${name}=${encodeURIComponent(name === "sslmode" ? value : file(value))}`
  )
  const url = Redacted.make(`postgres://aura@127.0.0.1:${cluster.port}/postgres?${query.join("&")}`)
  return Effect.scoped(
    Effect.gen(function* () {
      const store = yield* PostgresJournal.make({ url, owner: "tls" })
      const space = spaceId(new Uint8Array(32).fill(1))
      yield* store.commit({ space, locals: [{ name: "token", bytes: new Uint8Array(4) }] })
      return yield* store.spaces
    })
  )
}

describe("the way to a database", () => {
  it.live("is taken with a certificate of our own, to a server whose name was vouched for", () =>
    Effect.map(open(whole), (spaces) => assert.strictEqual(spaces.length, 1))
  )

  for (const [what, change, words] of [
    ["without a certificate", { sslcert: undefined, sslkey: undefined }, "connection"],
    ["with one of another authority", { sslcert: "stranger.crt", sslkey: "stranger.key" }, "connection"],
    ["with somebody else's", { sslcert: "somebody.crt", sslkey: "somebody.key" }, "refuses the role"],
    ["to a server that nobody vouched for", { sslrootcert: "other.crt" }, "certificate"],
    ["to a server that nobody known vouched for", { sslrootcert: undefined }, "certificate"],
    ["with the key of another certificate", { sslkey: "somebody.key" }, "key values mismatch"],
    ["with a certificate that is none", { sslcert: "aura.key" }, "no certificates"],
    ["without the key", { sslkey: undefined }, "one of sslcert and sslkey"],
    ["with a file that is not there", { sslrootcert: "nowhere.crt" }, "nowhere.crt"],
    ["with a key that is not there", { sslkey: "nowhere.key" }, "nowhere.key"],
    ["with certificates and no TLS", { sslmode: "disable" }, "sslmode=verify-full"],
    ["with certificates and TLS if it pleases", { sslmode: "prefer" }, "sslmode=verify-full"],
    ["without a mode", { sslmode: undefined }, "sslmode=verify-full"]
  ] as const) {
    it.live(`is not taken ${what}`, () =>
      Effect.gen(function* () {
        const given = Object.entries({ ...whole, ...change }).filter(([, value]) => value !== undefined)
        const exit = yield* Effect.exit(open(Object.fromEntries(given) as Record<string, string>))
        const error = Exit.isFailure(exit) ? exit.cause.reasons.find(({ _tag }) => _tag === "Fail") : undefined
        const failure = error?._tag === "Fail" ? error.error : undefined
        assert.instanceOf(failure, JournalStoreError)
        assert.strictEqual(failure.reason._tag, "JournalUnavailable")
        assert.include(failure.message, words)
      })
    )
  }

  it.live("is not taken with a key that others may read", () =>
    Effect.gen(function* () {
      chmodSync(file("aura.key"), 0o644)
      const error = yield* Effect.flip(open(whole))
      chmodSync(file("aura.key"), 0o600)
      assert.include(error.message, "chmod 600")
    })
  )
})
