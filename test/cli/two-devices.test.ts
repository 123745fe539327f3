/**
 * Two devices on one machine, as a newcomer sets them up, in real processes: pair, join, work offline on both sides,
 * sync, and see the same.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { aura, exampleApp, folder, json, serve, stop, stopAll } from "./aura.ts"

afterAll(stopAll)

describe("two devices on one machine", () => {
  it("pair, write while apart, sync, and have equal state and clean journals", { timeout: 120_000 }, async () => {
    const home = folder()
    const [alice, bob] = [join(home, "alice"), join(home, "bob")]
    const env = { AURA_APP: exampleApp }

    const first = await serve(["--data", alice, "--port", "0"], { env })
    const address = new URL(
      String((first.ready["pages"] as ReadonlyArray<string>).find((page) => page.startsWith("https")))
    )
    const code = (await aura(["pair", "--data", alice], { env })).stdout.trim()
    assert.match(code, /^aura-[0-9A-Z-]{59}@aura:\/\/127\.0\.0\.1:\d+\?pin=/)

    const joined = await aura(["join", code, "--data", bob, "--name", "Bob", "--json"], { env })
    assert.strictEqual(joined.code, 0, joined.stderr)
    assert.strictEqual(json(joined)[0]!["issuer"], first.ready["device"])

    const ended = await stop(first)
    assert.strictEqual(ended.code, 0)
    assert.notInclude(ended.stderr, code.slice(0, 60), "no code in the log")

    const milk = await aura(["perform", "add", '{"title":"milk"}', "--data", alice, "--json"], { env })
    const bread = await aura(["perform", "add", '{"title":"bread"}', "--data", bob, "--json"], { env })
    assert.deepStrictEqual([milk.code, bread.code], [0, 0], milk.stderr + bread.stderr)

    const again = await serve(["--data", alice, "--port", address.port], { env })
    const synced = await aura(["sync", "--data", bob, "--json"], { env })
    assert.strictEqual(synced.code, 0, synced.stdout)
    const state = async (data: string) => json(await aura(["state", "--data", data, "--json"]))[0]!["state"]
    const [atAlice, atBob] = [await state(alice), await state(bob)]
    assert.deepStrictEqual(atBob, atAlice)
    const titles = Object.values((atAlice as { tasks: Record<string, { title: string }> }).tasks).map(
      ({ title }) => title
    )
    assert.deepStrictEqual(titles.toSorted(), ["bread", "milk"])

    for (const data of [alice, bob]) {
      const verified = json(await aura(["journal", "verify", "--data", data, "--json"]))[0]!
      assert.strictEqual(verified["ok"], true)
      assert.isAbove(Number(verified["entries"]), 3)
    }
    assert.strictEqual((await stop(again, "SIGTERM")).code, 0)
  })

  it("a code works once, and each refusal says what to do", { timeout: 120_000 }, async () => {
    const home = folder()
    const alice = join(home, "alice")
    const env = { AURA_APP: exampleApp }
    const server = await serve(["--data", alice, "--port", "0"], { env })
    const code = String(json(await aura(["pair", "--data", alice, "--json"], { env }))[0]!["code"])

    const own = await aura(["join", code, "--data", alice, "--json"], { env })
    assert.deepInclude(json(own)[0]!["error"], { code: "PairingWithOneself" })

    const mistyped = await aura([
      "join",
      code.replace(/.(?=@)/u, (last) => (last === "0" ? "1" : "0")),
      "--data",
      join(home, "x"),
      "--json"
    ])
    assert.strictEqual(mistyped.code, 2)
    assert.deepInclude(json(mistyped)[0]!["error"], { code: "PairingCodeInvalid" })
    const nothing = await aura(["status", "--data", join(home, "x"), "--json"])
    assert.deepInclude(json(nothing)[0]!["error"], { code: "NoDataDirectory" }, "a mistyped code leaves nothing behind")

    assert.strictEqual((await aura(["join", "-", "--data", join(home, "bob")], { env, input: `${code}\n` })).code, 0)
    const twice = await aura(["join", code, "--data", join(home, "carol"), "--json"], { env })
    assert.strictEqual(twice.code, 1)
    assert.deepInclude(json(twice)[0]!["error"], { code: "PairingRefused" })
    assert.include(String((json(twice)[0]!["error"] as Record<string, unknown>)["do"]), "aura pair")

    await stop(server)
    const offline = await aura(["pair", "--data", alice, "--json"], { env })
    assert.deepInclude(json(offline)[0]!["error"], { code: "ServerNeeded" })
  })
})
