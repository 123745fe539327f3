/** Blobs in a bucket, chosen by settings alone, in real processes and on a real server. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { openS3, secret, type S3Server } from "../handlers/node/s3Server.ts"
import { aura, exampleApp, folder, json, serve, stop, stopAll } from "./aura.ts"

let server: S3Server
beforeAll(async () => {
  server = await openS3(folder())
}, 60_000)
afterAll(async () => {
  await stopAll()
  await server.close()
}, 60_000)

const settings = () => ({
  AURA_APP: exampleApp,
  AURA_STORAGE__KIND: "s3",
  AURA_STORAGE__S3__ENDPOINT: server.options.endpoint,
  AURA_STORAGE__S3__BUCKET: server.options.bucket,
  AURA_STORAGE__S3__ACCESS_KEY_ID: Redacted.value(server.options.accessKeyId),
  AURA_STORAGE__S3__SECRET_ACCESS_KEY: secret
})

const found = async (data: string, env: Readonly<Record<string, string>>) => {
  const told = await aura(["doctor", "--data", data, "--json"], { env })
  assert.notInclude(told.stdout + told.stderr, secret)
  return json(told).find(({ check }) => check === "storage in the bucket")
}

describe("blobs in a bucket", () => {
  it("are chosen by settings alone, and the doctor tries the bucket itself", { timeout: 120_000 }, async () => {
    const data = join(folder(), "alice")
    const started = await stop(await serve(["--data", data, "--port", "0"], { env: settings() }))
    assert.strictEqual(started.code, 0, started.stderr)
    const good = await found(data, settings())
    assert.strictEqual(good?.["verdict"], "good", JSON.stringify(good))
    assert.isTrue(server.seen.some(({ path }) => /^\/blobs\/[0-9a-f]{32}\/doctor\/header$/u.test(path)))
    assert.isFalse(existsSync(join(data, "blobs")))
    const bad = await found(data, { ...settings(), AURA_STORAGE__S3__BUCKET: "none" })
    assert.strictEqual(bad?.["verdict"], "bad")
    assert.include(String(bad?.["what"]), "NoSuchBucket")
  })

  it("without a bucket are a mistake of usage that says what is missing", async () => {
    const { AURA_STORAGE__S3__BUCKET: _, ...env } = settings()
    const told = await aura(["state", "--data", join(folder(), "carol"), "--json"], { env })
    assert.strictEqual(told.code, 2, told.stdout)
    assert.include(told.stdout, "storage.s3.bucket is missing: storage.kind is s3")
  })
})
