/** What the command line says to mistakes: to the letter, with its exit code, and as JSON. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { aura, folder, json, stopAll } from "./aura.ts"

afterAll(stopAll)

describe("the command line", () => {
  it.each([
    [[], "aura: a command is missing\n  do:      see aura --help\n"],
    [["frobnicate"], 'aura: Unknown subcommand "frobnicate" for "aura"\n  do:      see aura --help\n'],
    [
      ["status", "--nope"],
      "aura: Unrecognized flag: --nope in command aura status\n  do:      see aura status --help\n"
    ],
    [["journal"], "aura: a command is missing\n  do:      see aura journal --help\n"],
    [["perform"], "aura: Missing required argument: operation\n  do:      see aura perform --help\n"],
    [
      ["perform", "add", "{bad"],
      'aura: the payload is not JSON: {bad\n  allowed: {"name": "value"}: names and texts in double quotes\n  do:      put the whole payload in single quotes, or pipe it in: aura perform OPERATION -\n'
    ],
    [["grant"], "aura: Missing required argument: device\n  do:      see aura grant --help\n"],
    [["trust"], "aura: a command is missing\n  do:      see aura trust --help\n"],
    [
      ["policy", "set", "add", "--policy", "{bad"],
      'aura: the policy is not JSON: {bad\n  allowed: {"name": "value"}: names and texts in double quotes\n  do:      put the whole policy in single quotes\n'
    ],
    [
      ["join", "garbage"],
      'aura: the code has 7 characters instead of 48\n  allowed: aura-XXXX-…-XXXX@ADDRESS, as "aura pair" prints it\n  do:      paste the whole line, in quotes (the address contains characters that shells treat specially)\n'
    ]
  ])("answers %j with code 2, on stderr", async (words, expected) => {
    const { code, stderr, stdout } = await aura(words, { cwd: folder() })
    assert.strictEqual(stderr, expected)
    assert.strictEqual(stdout, "")
    assert.strictEqual(code, 2)
  })

  it("names every command in its help, on stdout, with code 0", async () => {
    const { code, stderr, stdout } = await aura(["--help"], { cwd: folder() })
    const commands =
      "serve pair join sync status perform state journal device grant revoke limit lift trust policy explain feed space backup restore config doctor simulate"
    for (const command of commands.split(" ")) assert.match(stdout, new RegExp(`^  ${command} +\\w`, "mu"))
    assert.match(stdout, /pair +.*Needs a running server/u)
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
  })

  it("answers a mistake with one object when asked for JSON", async () => {
    const home = folder()
    const ended = await aura(["status", "--json", "--data", join(home, "none")], { cwd: home })
    assert.strictEqual(ended.code, 1)
    assert.deepStrictEqual(json(ended), [
      {
        ok: false,
        error: {
          code: "NoDataDirectory",
          what: `there is no data directory at ${join(home, "none")}`,
          where: join(home, "none"),
          do: 'start one with "aura serve" or "aura join CODE", or name another with --data'
        }
      }
    ])
    assert.isFalse(existsSync(join(home, "none")), "asking makes no directory")
  })

  it("reports all problems of the settings at once, with their sources", async () => {
    const home = folder()
    writeFileSync(join(home, "aura.toml"), 'app = 3\nnonsense = true\n[listen]\nhost = ""\n')
    const ended = await aura(["status", "--json"], {
      cwd: home,
      env: { AURA_LISTEN__PORT: "99999", AURA_LISTEN__PROT: "1", AURA_TOOLS: "not ours" }
    })
    assert.strictEqual(ended.code, 2)
    const { details } = json(ended)[0]!["error"] as { details: ReadonlyArray<Record<string, string>> }
    assert.deepStrictEqual(
      details.map(({ setting, source, value }) => [setting, value, source]),
      [
        ["nonsense", undefined, `${join(home, "aura.toml")}:2`],
        ["listen.prot", undefined, "environment variable AURA_LISTEN__PROT"],
        ["app", "3", `${join(home, "aura.toml")}:1`],
        ["listen.host", "", `${join(home, "aura.toml")}:4`],
        ["listen.port", "99999", "environment variable AURA_LISTEN__PORT"]
      ]
    )
    for (const detail of details) assert.isNotEmpty(detail["allowed"])
  })

  it("says how an application file has to be, whatever is wrong with it", () => {
    const home = folder()
    const files: ReadonlyArray<readonly [name: string, text: string, said: RegExp]> = [
      ["enum.ts", "export enum A { B }\n", /replace enum/u],
      ["extension.ts", 'import { x } from "./other"\nexport const app = x\n', /with their extension/u],
      ["syntax.ts", "export const app = {{\n", /correct the syntax/u],
      ["unnamed.ts", "export const application = 1\n", /exports no `app`, only application/u],
      ["foreign.ts", 'export const app = { name: "x" }\n', /not made by App\.make/u],
      ["throws.ts", 'throw new Error("boom")\n', /does not load: boom/u],
      ["type.ts", 'import { Foo } from "./foo.ts"\nexport const app: Foo = 1\n', /import type/u],
      ["jsx.tsx", "export const app = 1\n", /\.tsx has to be built/u],
      ["common.ts", 'export const app = require("fs")\n', /use import and export/u],
      ["absent.ts", "", /there is no file/u]
    ]
    writeFileSync(join(home, "foo.ts"), "export interface Foo {}\n")
    for (const [name, text] of files) if (text !== "") writeFileSync(join(home, name), text)
    const loader = fileURLToPath(new URL("load.ts", import.meta.url))
    const { stderr, stdout } = spawnSync(process.execPath, [loader, ...files.map(([name]) => join(home, name))], {
      encoding: "utf8"
    })
    const lines = stdout.trim().split("\n")
    assert.lengthOf(lines, files.length, stderr)
    files.forEach(([name, , said], index) => {
      const problem = JSON.parse(lines[index]!)
      assert.strictEqual(problem.code, "ApplicationInvalid", name)
      assert.match(`${problem.what} ${problem.do}`, said, name)
      assert.strictEqual(problem.where, join(home, name))
    })
  })
})
