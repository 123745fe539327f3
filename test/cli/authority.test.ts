/** Who may do what, in real processes: Bob may write, and is told what he may not; mistakes end with their codes. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { aura, exampleApp, folder, json, serve, stop, stopAll, type Ended } from "./aura.ts"

afterAll(stopAll)

const errorOf = (ended: Ended) => (json(ended).at(-1)?.["error"] ?? {}) as Readonly<Record<string, unknown>>

describe("two devices", () => {
  it("decide as far as each may, with a server and without", { timeout: 180_000 }, async () => {
    const home = folder()
    const [alice, bob] = [join(home, "alice"), join(home, "bob")]
    const env = { AURA_APP: exampleApp }
    const at = (data: string, ...words: ReadonlyArray<string>) => aura([...words, "--data", data, "--json"], { env })
    const server = await serve(["--data", alice, "--port", "0"], { env })
    const king = await at(alice, "pair", "--role", "king")
    assert.deepStrictEqual([king.code, errorOf(king)["code"]], [2, "RoleUnknown"])
    const paired = json(await at(alice, "pair", "--role", "writer"))[0]!
    const joined = await aura(["join", String(paired["code"]), "--name", "Bob", "--data", bob], { env })
    assert.strictEqual(joined.code, 0, joined.stderr)

    // the server does it for Alice, the command's own process for Bob
    const related = await at(alice, "trust", "relate", "Bob", "high")
    assert.strictEqual(related.code, 0, related.stdout)
    const denied = await at(bob, "device", "revoke", "creator", "--what-if")
    assert.deepStrictEqual([denied.code, errorOf(denied)["code"]], [1, "ActDenied"])
    assert.match(String(errorOf(denied)["what"]), /^this device may not revoke [0-9a-f]{10}: it needs device:revoke$/u)
    assert.include(String(errorOf(denied)["do"]), "aura device list")
    const poor = await at(bob, "grant", "Bob", "--can", "task:write")
    assert.match(String(errorOf(poor)["what"]), /^this device can't give task:write/u)
    const own = await at(bob, "revoke", "Bob", "--can", "task:write", "--what-if")
    assert.deepInclude(
      json(own)[0],
      { ok: true, act: "Withdraw", isWhatIf: true, entry: null },
      "his own he may give up"
    )
    assert.strictEqual((await stop(server)).code, 0)

    const limited = await at(alice, "limit", "Bob", "--can", "space:read")
    assert.deepInclude(json(limited)[0], { ok: true, act: "Limit", isThis: false })
    const refused = await at(alice, "explain", "Bob", "add")
    assert.deepStrictEqual([refused.code, json(refused)[0]!["decision"]], [0, "Denied"])
    const before = await at(alice, "explain", "Bob", "add", "--at", "2000-01-01")
    assert.deepStrictEqual([before.code, errorOf(before)["code"]], [1, "NothingThen"])
  })
})

describe("the help", () => {
  it("tells the two ways to revoke apart", async () => {
    const [withdraw, putOut] = await Promise.all([aura(["revoke", "--help"]), aura(["device", "revoke", "--help"])])
    assert.match(withdraw.stdout, /Take back what a device was granted.*aura device revoke puts a device out for good/u)
    assert.match(putOut.stdout, /Put a device out for good.*To take back only what it was granted: aura revoke/u)
    for (const { stdout } of [withdraw, putOut]) assert.match(stdout, /--what-if .*Write nothing/u)
  })
})
