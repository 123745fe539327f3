/** A device that was put out, as its user meets it, in real processes: told by whom and when, in words and as data. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { createServer, type AddressInfo } from "node:net"
import { join } from "node:path"
import { deviceId } from "../../src/identity/Id.ts"
import * as PairingCode from "../../src/sync/PairingCode.ts"
import { aura, exampleApp, folder, json, serve, stop, stopAll } from "./aura.ts"

afterAll(stopAll)

describe("a device that was revoked", () => {
  it(
    "hears so at its next sync, from status, and when it would write; its state stays",
    { timeout: 120_000 },
    async () => {
      const home = folder()
      const [alice, bob] = [join(home, "alice"), join(home, "bob")]
      const env = { AURA_APP: exampleApp }
      const server = await serve(["--data", alice, "--port", "0"], { env })
      const code = String(json(await aura(["pair", "--data", alice, "--json"], { env }))[0]!["code"])
      const milk = await aura(["perform", "add", '{"title":"milk"}', "--data", alice], { env })
      assert.strictEqual(milk.code, 0, milk.stderr)
      assert.strictEqual((await aura(["join", code, "--data", bob, "--name", "Bob"], { env })).code, 0)
      const revoked = await aura(["device", "revoke", "Bob", "--reason", "sold", "--data", alice, "--json"], { env })
      assert.strictEqual(revoked.code, 0, revoked.stdout)
      const secret = await aura(["perform", "add", '{"title":"secret"}', "--data", alice], { env })
      assert.strictEqual(secret.code, 0, secret.stderr)

      const before = json(await aura(["status", "--data", bob, "--json"], { env }))[0]!
      assert.isNull((before["spaces"] as ReadonlyArray<Record<string, unknown>>)[0]!["thisDeviceRevoked"])

      const synced = await aura(["sync", "--data", bob, "--json", "--timeout", "30"], { env })
      assert.strictEqual(synced.code, 1)
      const error = json(synced)[0]!["error"] as Record<string, unknown>
      assert.strictEqual(error["code"], "DeviceRevoked")
      assert.match(
        String(error["what"]),
        /^this device was revoked by creator \([0-9a-f]{10}\) at \S+Z: sold; .* readable/u
      )
      assert.include(String(error["do"]), "aura join CODE --data FRESH-DIRECTORY")
      const [details] = error["details"] as ReadonlyArray<Record<string, unknown>>
      assert.deepInclude(details, { by: server.ready["device"], isByRoot: false, reason: "sold" })
      assert.isNumber(details!["atMillis"])

      const after = json(await aura(["status", "--data", bob, "--json"], { env }))[0]!
      assert.deepStrictEqual(
        (after["spaces"] as ReadonlyArray<Record<string, unknown>>)[0]!["thisDeviceRevoked"],
        details
      )
      assert.match((await aura(["status", "--data", bob], { env })).stdout, /^revoked +this device, by creator/mu)
      for (const words of [
        ["perform", "add", '{"title":"bread"}'],
        ["device", "revoke", String(server.ready["device"])]
      ]) {
        const refused = await aura([...words, "--data", bob, "--json"], { env })
        assert.strictEqual(refused.code, 1, refused.stdout)
        assert.deepInclude(json(refused)[0]!["error"], { code: "DeviceRevoked" })
      }
      const state = (await aura(["state", "--data", bob], { env })).stdout
      assert.include(state, "milk")
      assert.notInclude(state, "secret")
      assert.strictEqual((await stop(server)).code, 0)
    }
  )
})

describe("a device that joins where nobody answers", () => {
  it("is told at which stage it stood", { timeout: 60_000 }, async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve))
    const address = `aura://127.0.0.1:${(silent.address() as AddressInfo).port}?pin=${"A".repeat(43)}`
    const issuer = deviceId(new Uint8Array(32).fill(7))
    const code = PairingCode.encode(
      PairingCode.make(issuer, Redacted.make(new Uint8Array(PairingCode.secretBytes)), address)
    )
    const words = ["join", Redacted.value(code), "--data", join(folder(), "bob"), "--timeout", "1", "--json"]
    const joined = await aura(words, { env: { AURA_APP: exampleApp } })
    silent.close()
    assert.strictEqual(joined.code, 1)
    const error = json(joined)[0]!["error"] as Record<string, unknown>
    assert.strictEqual(error["code"], "JoinIncomplete", joined.stdout)
    assert.deepStrictEqual(error["details"], [{ stage: "Connecting" }])
    assert.include(String(error["what"]), "within 1 s")
    assert.include(String(error["do"]), "the same code")
  })
})
