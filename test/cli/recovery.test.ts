/**
 * Alice's device is stolen, and the thief puts Bob out. Carol has the recovery words on paper.
 *
 *     Alice (founder, stolen) ──admits──▶ Bob, Carol        thief ──revokes──▶ Bob        words ──revoke──▶ Alice
 *
 * Question: who is in the space afterwards, on every device, and is each refusal on the way told with its reason?
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { join } from "node:path"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import * as Redacted from "effect/Redacted"
import { aura, exampleApp, folder, json, serve, stop, stopAll, type Ended } from "./aura.ts"

afterAll(stopAll)

const env = { AURA_APP: exampleApp }

const codeOf = (ended: Ended): unknown =>
  (json(ended).at(-1)!["error"] as Record<string, unknown> | undefined)?.["code"]

const membersOf = async (data: string) =>
  Object.fromEntries(
    json(await aura(["device", "list", "--data", data, "--json"])).map(({ name, revoked }) => [
      name,
      revoked === null ? "member" : (revoked as { isByRoot: boolean }).isByRoot ? "out, by the words" : "out"
    ])
  )

describe("the recovery words", () => {
  it("put a thief out and bring its victim back, on every device", { timeout: 180_000 }, async () => {
    const home = folder()
    const [alice, bob, carol] = [join(home, "alice"), join(home, "bob"), join(home, "carol")]
    const run = (words: ReadonlyArray<string>, data: string, input = "") =>
      aura([...words, "--data", data, "--json"], { env, input })

    const first = await serve(["--data", alice, "--port", "0", "--show-words"], { env })
    const words = json(await run(["space", "words"], alice))[0]!["words"] as ReadonlyArray<string>
    assert.lengthOf(words, 24)
    assert.include(first.stderr(), words[23]!, "shown when asked for")
    assert.notInclude(first.stdout(), ` ${words[0]} `)
    for (const [data, name] of [
      [bob, "Bob"],
      [carol, "Carol"]
    ] as const) {
      const code = String(json(await run(["pair"], alice))[0]!["code"])
      assert.strictEqual((await run(["join", code, "--name", name], data)).code, 0)
    }
    // the thief
    assert.strictEqual((await run(["device", "revoke", "Bob"], alice)).code, 0)
    await run(["perform", "add", '{"title":"ransom"}'], alice)
    assert.strictEqual((await run(["sync"], carol)).code, 0)
    assert.deepStrictEqual(await membersOf(carol), { creator: "member", Bob: "out", Carol: "member" })
    await stop(first)

    // what does not help
    const paper = `${words.join(" ")}\n`
    const others = Redacted.value(RecoveryWords.make(new Uint8Array(32).fill(7)))
    const recover = ["space", "recover", "--revoke", "creator"]
    assert.strictEqual(codeOf(await run(recover, carol, `${words.slice(1).join(" ")} wrong\n`)), "WordsInvalid")
    assert.strictEqual(codeOf(await run(recover, carol, `${others}\n`)), "WordsInvalid")
    assert.strictEqual(codeOf(await run([...recover, "--cut", "yesterday"], carol, paper)), "CutInvalid")
    assert.strictEqual(codeOf(await run(["space", "recover", "--revoke", "Carol"], carol, paper)), "RevokesItself")
    assert.strictEqual(codeOf(await run(["space", "recover", "--revoke", "Mallory"], carol, paper)), "DeviceUnknown")
    const asked = await run(recover, carol, `${paper}no\n`)
    assert.strictEqual(codeOf(asked), "NotConfirmed")
    assert.match(asked.stderr, /\+ .*Bob .*revoked → member/u, "what would come of it is shown first")
    assert.deepStrictEqual(
      await membersOf(carol),
      { creator: "member", Bob: "out", Carol: "member" },
      "nothing changed"
    )

    // what does; Bob does not even know yet that he was out
    const recovered = await run(recover, carol, `${paper}yes\n`)
    assert.strictEqual(recovered.code, 0, recovered.stdout)
    assert.notInclude(recovered.stdout + recovered.stderr, words.slice(0, 3).join(" "))
    await run(["perform", "add", '{"title":"bob worked on"}'], bob)
    const second = await serve(["--data", carol, "--port", "0"], { env })
    const address = String((second.ready["addresses"] as ReadonlyArray<string>)[0])
    const synced = await run(["sync", "--from", address], bob)
    assert.strictEqual(synced.code, 0, synced.stdout)
    const expected = { creator: "out, by the words", Bob: "member", Carol: "member" }
    assert.deepStrictEqual(await membersOf(carol), expected)
    assert.deepStrictEqual(await membersOf(bob), expected)
    const states = [await run(["state"], bob), await run(["state"], carol)].map(({ stdout }) => stdout)
    assert.strictEqual(states[1], states[0])
    assert.include(states[0], "bob worked on")
    assert.notInclude(states[0], "ransom", "what the thief wrote after its attack does not count")
    // the thief is told who put it out, and nothing else
    const shut = await run(["sync", "--from", address, "--timeout", "30"], alice)
    assert.strictEqual(codeOf(shut), "DeviceRevoked", shut.stdout)
    assert.include(shut.stdout, "revoked with the recovery words at ")
    assert.notInclude((await run(["state"], alice)).stdout, "bob worked on")
    await stop(second)
  })

  it("are deleted here once three of them were typed back", { timeout: 60_000 }, async () => {
    const data = join(folder(), "alice")
    const server = await serve(["--data", data, "--port", "0"], { env })
    assert.notMatch(server.stderr(), /recovery words: write/u, "not shown unasked when nobody looks")
    const words = json(await aura(["space", "words", "--data", data, "--json"]))[0]!["words"] as ReadonlyArray<string>

    const wrong = await aura(["space", "confirm", "--data", data, "--json"], { input: "a\nb\nc\n" })
    assert.strictEqual(codeOf(wrong), "WordsWrong")
    assert.notInclude(wrong.stdout, words[0]!)

    const { spawned, ended } = await confirm(data, words)
    assert.strictEqual(ended.code, 0, spawned + ended.stdout)
    const gone = await aura(["space", "words", "--data", data, "--json"])
    assert.strictEqual(codeOf(gone), "WordsNotHere")
    await stop(server)
  })
})

/** Answers the questions as they come. */
const confirm = async (data: string, words: ReadonlyArray<string>) => {
  const { start } = await import("./aura.ts")
  const running = start(["space", "confirm", "--data", data, "--json"])
  let answered = 0
  running.child.stderr!.on("data", () => {
    const questions = [...running.stderr().matchAll(/word (\d+): /gu)]
    for (; answered < questions.length; answered++)
      running.child.stdin!.write(`${words[Number(questions[answered]![1]) - 1]}\n`)
  })
  const ended = await running.ended
  return { spawned: running.stderr(), ended }
}
