/** One process owns a data directory: others let it work, wait for it, or find it gone; and signals end it in order. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { aura, folder, json, serve, stop, stopAll } from "./aura.ts"

afterAll(stopAll)

const counter = (): { readonly home: string; readonly env: Readonly<Record<string, string>> } => {
  const home = folder()
  const file = join(home, "counter.ts")
  writeFileSync(
    file,
    `import { App, GCounter, Policy, Schema } from "aura"
export const app = App.make("count", {
  version: 1,
  state: { n: GCounter() },
  operations: (operation) => ({
    up: operation({
      payload: Schema.Struct({}),
      writes: ["n:add"],
      policy: Policy.make({ capabilities: [] }),
      plan: ({ n }) => ({ changes: [n.add(1)], result: undefined })
    })
  })
})
`
  )
  return { home, env: { AURA_APP: file } }
}

describe("the owner of a data directory", () => {
  it("survives kill -9, and short commands share the directory among themselves", { timeout: 120_000 }, async () => {
    const { env, home } = counter()
    // too long for a socket, so that one is made elsewhere
    const data = join(home, "long-".repeat(30), "data")
    mkdirSync(dirname(data), { mode: 0o700 })
    const server = await serve(["--data", data, "--port", "0"], { env })
    const { controlSocket } = JSON.parse(readFileSync(join(data, "owner"), "utf8"))
    assert.isBelow(Buffer.byteLength(controlSocket), 104)
    assert.strictEqual(statSync(controlSocket).mode & 0o777, 0o600)
    assert.strictEqual(statSync(dirname(controlSocket)).mode & 0o777, 0o700)
    assert.strictEqual(json(await aura(["status", "--data", data, "--json"]))[0]!["serving"], true)
    await stop(server, "SIGKILL")

    const performed = await Promise.all([1, 2, 3].map(() => aura(["perform", "up", "--data", data, "--json"], { env })))
    assert.deepStrictEqual(
      performed.map(({ code }) => code),
      [0, 0, 0],
      performed.map(({ stderr }) => stderr).join()
    )
    assert.deepStrictEqual(json(await aura(["state", "--data", data, "--json"]))[0]!["state"], { n: 3 })
  })

  it("takes one server only, and leaves nothing behind when it is stopped", { timeout: 120_000 }, async () => {
    const { env, home } = counter()
    const data = join(home, "data")
    const server = await serve(["--data", data, "--port", "0"], { env })
    const second = await aura(["serve", "--data", data, "--port", "0", "--http", "0", "--json"], { env })
    assert.strictEqual(second.code, 1)
    assert.deepInclude(json(second)[0]!["error"], { code: "DataDirectoryInUse" })
    const port = new URL(String((server.ready["pages"] as ReadonlyArray<string>)[0])).port
    const taken = await aura(["serve", "--data", join(home, "other"), "--port", port, "--http", "0", "--json"], { env })
    assert.deepInclude(json(taken)[0]!["error"], { code: "PortTaken" })

    const ended = await stop(server, "SIGTERM")
    assert.strictEqual(ended.code, 0)
    for (const line of ended.stderr.trim().split("\n")) assert.isObject(JSON.parse(line), "the log is lines of JSON")
    assert.isFalse(existsSync(join(data, "owner")))
    assert.isFalse(existsSync(join(data, "control.sock")))
  })

  it("performs a request with a key once, however often it is asked", { timeout: 120_000 }, async () => {
    const { env, home } = counter()
    const data = join(home, "data")
    await stop(await serve(["--data", data, "--port", "0"], { env }))
    for (const _ of [1, 2])
      assert.strictEqual((await aura(["perform", "up", "--key", "once", "--data", data], { env })).code, 0)
    assert.deepStrictEqual(json(await aura(["state", "--data", data, "--json"]))[0]!["state"], { n: 1 })
    const late = await aura(["perform", "up", "--wait", "acknowledged", "--timeout", "1", "--data", data, "--json"], {
      env
    })
    assert.deepInclude(json(late)[0]!["error"], { code: "NotAcknowledged" })
    assert.deepStrictEqual(
      json(await aura(["state", "--data", data, "--json"]))[0]!["state"],
      { n: 2 },
      "written all the same"
    )
  })
})
