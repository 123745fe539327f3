/** The README's two terminals: what it shows is what the command prints, but for ids, ports and folders. */
import { afterAll, assert, describe, it } from "vitest"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { aura, exampleApp, folder, json, start, stopAll } from "./aura.ts"

const readme = readFileSync(resolve(import.meta.dirname, "../../README.md"), "utf8")

/** What differs from machine to machine and from run to run, made alike. */
const alike = (text: string): string =>
  text
    .replace(/[0-9a-f]{64}/gu, "ID")
    .replace(/127\.0\.0\.1:\d+/gu, "HOST:PORT")
    .replace(/^data {4}.*$/mu, "data    FOLDER")
    .replace(/^ {2}\S.*\bpair\b.*$/mu, "  PAIR")
    .trim()

afterAll(stopAll)

describe("the README", () => {
  it("shows what `aura serve` prints, and its lines bring two devices to one state", async () => {
    const first = folder()
    const second = join(folder(), "second")
    const server = start(["serve", exampleApp, "--data", first, "--port", "0", "--http", "0"])
    while (!server.stdout().includes("Ctrl-C stops it.")) {
      assert.isNull(server.child.exitCode, server.stderr())
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const shown = /<!-- story[^>]*-->\s*```text\n([\s\S]*?)```/u.exec(readme)?.[1] ?? ""
    assert.strictEqual(alike(server.stdout()), alike(shown))

    const code = String(json(await aura(["pair", "--json", "--data", first]))[0]?.["code"])
    assert.strictEqual((await aura(["join", code, "--data", second])).code, 0)
    const added = await aura(["perform", "add", '{"title":"milk"}', "--app", exampleApp, "--data", second])
    assert.strictEqual(added.code, 0, added.stderr)
    assert.strictEqual((await aura(["sync", "--data", second])).code, 0)
    const states = await Promise.all([first, second].map((data) => aura(["state", "--json", "--data", data])))
    assert.deepStrictEqual(json(states[0]!), json(states[1]!))
    assert.include(states[0]!.stdout, "milk")
    assert.include((await aura(["journal", "verify", "--data", second])).stdout, "clean")
    server.child.kill("SIGTERM")
    assert.strictEqual((await server.ended).code, 0)
  }, 90_000)
})
