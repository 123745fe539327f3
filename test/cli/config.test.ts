/** The command `aura config`, and that other commands refuse what it finds: exit codes, streams, and no secret on either. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { aura, exampleApp, folder, json, stopAll } from "./aura.ts"

afterAll(stopAll)

const planted = "pl4nted-s3cret"

describe("aura config", () => {
  it("begins a file that holds, once", { timeout: 60_000 }, async () => {
    const cwd = folder()
    assert.strictEqual((await aura(["config", "init"], { cwd })).code, 0)
    const checked = await aura(["config", "check", "--json"], { cwd })
    assert.deepStrictEqual([checked.code, json(checked)], [0, [{ ok: true, settings: 0, notes: [] }]])
    writeFileSync(join(cwd, "aura.toml"), "# mine")
    const again = await aura(["config", "init", "--json"], { cwd })
    assert.strictEqual(again.code, 1)
    assert.deepInclude(json(again)[0]!["error"], { code: "SettingsExist" })
    assert.strictEqual(readFileSync(join(cwd, "aura.toml"), "utf8"), "# mine")
    const schema = await aura(["config", "schema"], { cwd })
    assert.deepInclude(JSON.parse(schema.stdout), { title: "aura.toml", additionalProperties: false })
  })

  it("shows what counts and where it comes from, without the secrets", { timeout: 60_000 }, async () => {
    const cwd = folder()
    writeFileSync(join(cwd, "aura.toml"), `\n[keys]\npassphrase = "${planted}"\n`)
    const env = { DATABASE_URL: `postgres://a:${planted}@db/x`, AURA_LISTEN__PORT: "1" }
    for (const words of [["--json"], []]) {
      const ended = await aura(["config", "show", ...words], { cwd, env })
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.notInclude(ended.stdout + ended.stderr, planted)
      if (words.length === 0) continue
      const { settings } = json(ended)[0]!
      assert.deepInclude(settings, {
        setting: "listen.port",
        value: 1,
        source: "environment variable AURA_LISTEN__PORT"
      })
      assert.deepInclude(settings, {
        setting: "keys.passphrase",
        value: "<hidden>",
        source: `${join(cwd, "aura.toml")}:3`
      })
      assert.deepInclude(settings, {
        setting: "journal.url",
        value: "<hidden>",
        source: "environment variable DATABASE_URL"
      })
    }
  })

  it("says all that is wrong with code 1, and serve refuses it with code 2", { timeout: 60_000 }, async () => {
    const cwd = folder()
    writeFileSync(join(cwd, "aura.toml"), `production = true\nkeys.passphrase = "${planted}"\n`)
    const env = { AURA_LISTEN__PORT: "x", AURA_APP: exampleApp }
    const settingsIn = (error: unknown) =>
      (error as { details: ReadonlyArray<{ setting: string }> }).details.map(({ setting }) => setting)
    const checked = await aura(["config", "check", "--json"], { cwd, env })
    assert.strictEqual(checked.code, 1)
    assert.deepStrictEqual(settingsIn(json(checked)[0]!["error"]), ["listen.port", "keys.passphrase"])
    const served = await aura(["serve", "--json", "--port", "0"], { cwd, env })
    assert.strictEqual(served.code, 2)
    assert.deepInclude(json(served)[0]!["error"], { code: "SettingsInsecure" })
    assert.deepStrictEqual(settingsIn(json(served)[0]!["error"]), ["keys.passphrase"])
    for (const { stderr, stdout } of [checked, served]) assert.notInclude(stdout + stderr, planted)
  })
})
