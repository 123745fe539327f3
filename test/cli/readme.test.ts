/** The README's stories are run: what they show is what the command prints, but for ids, times, ports and folders. */
import { afterAll, assert, describe, it } from "vitest"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { aura, exampleApp, folder, json, serve, start, stop, stopAll } from "./aura.ts"

const readme = readFileSync(resolve(import.meta.dirname, "../../README.md"), "utf8")

/** What differs from machine to machine and from run to run, made alike. */
const alike = (text: string): string =>
  text
    .replace(/[0-9a-f]{64}/gu, "ID")
    .replace(/\b[0-9a-f]{10}\b/gu, "SHORT")
    .replace(/\d{4}-\d\d-\d\dT[\d:]+Z/gu, "TIME")
    .replace(/127\.0\.0\.1:\d+/gu, "HOST:PORT")
    .replace(/^data {4}.*$/mu, "data    FOLDER")
    .replace(/^ {2}\S.*\bpair\b.*$/mu, "  PAIR")
    .trim()

/** The words of a line of the README, without its comment. */
const wordsOf = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(#.*)|(\S+)/gu)].flatMap(([, single, double, comment, plain]) =>
    comment === undefined ? [single ?? double ?? plain ?? ""] : []
  )

/** Its blocks of code, in order. */
const blocksOf = (title: string): ReadonlyArray<{ readonly kind: string; readonly text: string }> => {
  const [, section = ""] = readme.split(`## ${title}\n`)
  const [own = ""] = section.split(/^## /mu)
  return [...own.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gmu)].map(([, kind = "", text = ""]) => ({ kind, text }))
}

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

  it("shows a reader who is told why, may write, and whose later writing counts nowhere", async () => {
    const home = folder()
    const here = { cwd: home, env: { AURA_APP: exampleApp, AURA_DATA: join(home, "first") } }
    const server = await serve(["--port", "0"], here)
    let [code, stdout] = ["", ""]
    for (const { kind, text } of blocksOf("Who may do what")) {
      if (kind === "text") {
        assert.isTrue(alike(stdout).endsWith(alike(text)), `${alike(stdout)}\ndoes not end with\n${alike(text)}`)
        continue
      }
      for (const line of text.trim().split("\n")) {
        const [program, ...words] = wordsOf(line)
        assert.strictEqual(program, "aura", line)
        const ended = await aura(
          words.map((word) => (word === "CODE" ? code : word)),
          here
        )
        assert.strictEqual(ended.code, /# refused/u.test(line) ? 1 : 0, `${line}\n${ended.stderr}`)
        if (words[0] === "pair") code = ended.stdout.trim()
        if (/# refused/u.test(line))
          assert.match(ended.stderr, /lacks task:write[^]*aura explain [0-9a-f]{10} add/u, "it says where to look")
        stdout = ended.stdout
      }
    }
    const onBoth = (words: ReadonlyArray<string>) =>
      Promise.all(["first", "bob"].map((data) => aura([...words, "--data", data], here)))
    const [logs, states] = [await onBoth(["journal", "log"]), await onBoth(["state"])]
    assert.strictEqual(logs[0]!.stdout, logs[1]!.stdout, "the same on both devices")
    assert.strictEqual(states[0]!.stdout, states[1]!.stdout)
    assert.include(states[0]!.stdout, "tea")
    assert.notInclude(states[0]!.stdout, "late")
    const why = await aura(["explain", "Bob", "add", "--data", "bob"], here)
    assert.match(why.stdout, /cut down to space:read by creator .*: the season is over/u)
    assert.strictEqual((await stop(server)).code, 0)
  }, 90_000)
})
