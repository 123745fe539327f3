/**
 * What must stay secret is planted everywhere it is given to a running agent, and then looked for everywhere it should not be.
 *
 * | secret              | is given by                     | may stand in                                    |
 * | ------------------- | ------------------------------- | ----------------------------------------------- |
 * | database password   | DATABASE_URL                    | the environment                                 |
 * | key of the bucket   | AURA_STORAGE__S3__…             | the environment                                 |
 * | passphrase          | AURA_KEYS__PASSPHRASE           | the environment                                 |
 * | recovery words      | the agent itself, once          | what `aura space words` prints                  |
 * | root key            | follows from the words          | nowhere                                         |
 * | keys of the device  | the agent itself, once          | nowhere; their file is sealed by the passphrase |
 * | pairing code        | `aura pair`                     | what that prints                                |
 *
 * What applications write stands readable in the database: entries are not sealed yet (SECURITY.md).
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as DeviceKeyFile from "../../src/handlers/node/DeviceKeyFile.ts"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import { clusterOfFile } from "../handlers/clusterOfFile.ts"
import { openS3, secret as bucketKey, type S3Server } from "../handlers/node/s3Server.ts"
import { password } from "../handlers/postgresCluster.ts"
import { aura, exampleApp, folder, json, serve, stop, stopAll, type Ended } from "./aura.ts"

const cluster = clusterOfFile()
const buckets: Array<S3Server> = []
afterAll(stopAll)
afterAll(() => Promise.all(buckets.map((bucket) => bucket.close())))

const passphrase = "pl4nted passphrase of a person"

/** Ways in which something may have been written down. */
const spellings = (secret: string | Uint8Array): ReadonlyArray<Buffer> => {
  const bytes = Buffer.from(secret)
  const texts = ["hex", "base64", "base64url"] as const
  const spelled = texts.map((encoding) => bytes.toString(encoding).replace(/=+$/u, ""))
  return [bytes, ...spelled.map((text) => Buffer.from(text)), Buffer.from(encodeURIComponent(bytes.toString("latin1")))]
}

const filesUnder = (directory: string): ReadonlyArray<readonly [where: string, bytes: Buffer]> =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => [join(parentPath, name), readFileSync(join(parentPath, name))])

type Places = ReadonlyArray<readonly [where: string, bytes: Buffer]>

/** Where which secret stands. */
const found = (secrets: Readonly<Record<string, string | Uint8Array>>, places: Places): ReadonlyArray<string> =>
  Object.entries(secrets).flatMap(([name, secret]) =>
    places
      .filter(([, bytes]) => spellings(secret).some((one) => bytes.includes(one)))
      .map(([where]) => `${name} in ${where}`)
  )

describe("a running agent", { timeout: 150_000 }, () => {
  it("keeps to itself what it was entrusted with", async () => {
    const home = folder()
    const bucketDirectory = join(home, "bucket")
    mkdirSync(bucketDirectory)
    const bucket = await openS3(bucketDirectory)
    buckets.push(bucket)
    const env = {
      AURA_APP: exampleApp,
      AURA_LOG: "debug",
      AURA_KEYS__PASSPHRASE: passphrase,
      AURA_JOURNAL__KIND: "postgres",
      DATABASE_URL: Redacted.value(cluster.url),
      AURA_STORAGE__KIND: "s3",
      AURA_STORAGE__S3__ENDPOINT: bucket.options.endpoint,
      AURA_STORAGE__S3__BUCKET: bucket.options.bucket,
      AURA_STORAGE__S3__ACCESS_KEY_ID: "S3RVER",
      AURA_STORAGE__S3__SECRET_ACCESS_KEY: bucketKey
    }
    const [alice, bob] = [join(home, "alice"), join(home, "bob")]
    const server = await serve(["--data", alice, "--port", "0"], { env })
    const told: Array<readonly [string, Buffer]> = []
    const hear = ([word = ""]: ReadonlyArray<string>, { stderr, stdout }: Ended): void => {
      told.push([`what aura ${word} says`, Buffer.from(stdout + stderr)])
    }
    const run = async (words: ReadonlyArray<string>, data = alice, input = ""): Promise<Ended> => {
      const ended = await aura([...words, "--data", data, "--json"], { env, input })
      hear(words, ended)
      return ended
    }

    const words = json(await aura(["space", "words", "--data", alice, "--json"], { env }))[0]![
      "words"
    ] as ReadonlyArray<string>
    const code = String(json(await aura(["pair", "--data", alice, "--json"], { env }))[0]!["code"])
    assert.strictEqual((await run(["join", code, "--name", "Bob"], bob)).code, 0)
    await run(["join", code, "--name", "Mallory"], join(home, "mallory"))
    await run(["perform", "add", '{"title":"milk"}'])
    for (const command of [
      ["status"],
      ["doctor"],
      ["device", "list"],
      ["journal", "verify"],
      ["config", "show"],
      ["config", "check"]
    ])
      await run(command)
    assert.strictEqual((await run(["backup", join(home, "file")])).code, 0)
    // what goes wrong names what it is about
    await run(["space", "recover", "--yes"], alice, `${words.slice(1).join(" ")}\n`)
    await aura(["status", "--data", alice, "--json"], { env: { ...env, AURA_KEYS__PASSPHRASE: "" } }).then((ended) =>
      hear(["status"], ended)
    )
    await cluster.kill()
    await run(["perform", "add", '{"title":"away"}'])
    await cluster.start()
    const management = String(server.ready["management"])
    const probes = await Promise.all(
      ["readyz", "metrics", "healthz"].map(async (path) =>
        Buffer.from(await (await fetch(`${management}/${path}`)).text())
      )
    )

    const proc = `/proc/${server.child.pid}`
    const processArguments: Places = [[`${proc}/cmdline`, readFileSync(`${proc}/cmdline`)]]
    assert.strictEqual((await stop(server)).code, 0)
    const [{ directory } = {}] = await cluster.run(
      "SELECT setting AS directory FROM pg_settings WHERE name = 'data_directory'"
    )
    const seed = Result.getOrThrow(RecoveryWords.seed(Redacted.make(words.join(" "))))
    const keyFile = filesUnder(alice).find(([where]) => where.includes("device-key"))!
    const opener = { _tag: "Passphrase", passphrase: Redacted.make(passphrase) } as const
    const keys = await Effect.runPromise(DeviceKeyFile.decode(keyFile[1], opener, keyFile[0]))
    const secrets = {
      "the device's signing key": keys.signingSeed,
      "the device's box key": keys.boxSecret,
      "the root of the device's storage keys": keys.storageRoot,
      "the database's password": password,
      "the bucket's key": bucketKey,
      "the passphrase": passphrase,
      "the recovery words": words.join(" "),
      "some recovery words": words.slice(4, 8).join(" "),
      "the root key": Redacted.value(seed),
      "the pairing code": code.split("@")[0]!
    }
    chmodSync(alice, 0o700)
    const places: Places = [
      ...filesUnder(home),
      ...filesUnder(String(directory)),
      ...told,
      ...processArguments,
      ["what the server says", Buffer.from(server.stdout() + server.stderr())],
      ...probes.map((bytes, index) => [`probe ${index}`, bytes] as const)
    ]
    assert.isAbove(places.length, 200)
    assert.isTrue(filesUnder(bucketDirectory).length > 0, "the bucket was used")
    // each kind of place holds what belongs there, so it is these that are searched
    const isThere = (what: string, within: Places) => assert.isNotEmpty(found({ [what]: what }, within), what)
    isThere("Bob", filesUnder(String(directory)))
    isThere("--data", processArguments)
    isThere(
      "aura_ready",
      probes.map((bytes) => ["a probe", bytes] as const)
    )
    isThere("unavailable", told)
    isThere(server.ready["device"] as string, [
      ["what the server says", Buffer.from(server.stdout() + server.stderr())]
    ])
    isThere(server.ready["device"] as string, filesUnder(alice))
    assert.deepStrictEqual(found(secrets, places), [])
    // the search finds what is there
    for (const secret of Object.values(secrets))
      for (const spelled of spellings(secret))
        assert.isNotEmpty(found(secrets, [["a leak", Buffer.concat([Buffer.from("log: "), spelled])]]))
  })
})
