/**
 * A space is sealed with the recovery words, pruned, joined by a device that was never there, and moved on.
 *
 *     Alice ── 8 tasks ── words seal ── prune ── 2 tasks        Bob (there before)        Carol (joins afterwards)
 *
 * Question: does everybody see the same, though most of what was written is nowhere any more?
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { aura, exampleApp, folder, json, serve, stop, stopAll, type Ended } from "./aura.ts"

afterAll(stopAll)

const env = { AURA_APP: exampleApp }

const codeOf = (ended: Ended): unknown =>
  (json(ended).at(-1)!["error"] as Record<string, unknown> | undefined)?.["code"]

describe("aura space seal and aura journal prune", () => {
  it("seal what counts, drop what lies below, and everybody goes on", { timeout: 180_000 }, async () => {
    const home = folder()
    const [alice, bob, carol] = [join(home, "alice"), join(home, "bob"), join(home, "carol")]
    const run = (words: ReadonlyArray<string>, data: string, input = "") =>
      aura([...words, "--data", data, "--json"], { env, input })
    const stateOf = async (data: string) => (await run(["state"], data)).stdout

    const first = await serve(["--data", alice, "--port", "0", "--show-words"], { env })
    const words = json(await run(["space", "words"], alice))[0]!["words"] as ReadonlyArray<string>
    const paper = `${words.join(" ")}\n`
    const invited = String(json(await run(["pair"], alice))[0]!["code"])
    assert.strictEqual((await run(["join", invited, "--name", "Bob"], bob)).code, 0)
    for (let i = 0; i < 8; i++) await run(["perform", "add", `{"title":"task ${i}"}`], alice)

    // what does not help
    assert.strictEqual(codeOf(await run(["journal", "prune"], alice)), "NotSealed")
    assert.strictEqual(
      codeOf(await run(["space", "seal"], alice, `${words.slice(1).join(" ")} wrong\n`)),
      "WordsInvalid"
    )
    const asked = await run(["space", "seal"], alice, `${paper}no\n`)
    assert.strictEqual(codeOf(asked), "NotConfirmed")
    assert.include(asked.stderr, "would seal 8 entries in 1 feed")

    const sealed = await run(["space", "seal"], alice, `${paper}yes\n`)
    assert.strictEqual(sealed.code, 0, sealed.stdout)
    assert.notInclude(sealed.stdout + sealed.stderr, words.slice(0, 3).join(" "))
    assert.deepInclude(json(sealed)[0], { isWritten: true, entries: 8, feeds: 1, waiting: 0 })
    assert.strictEqual(codeOf(await run(["space", "seal", "--yes"], alice, paper)), "SealRefused", "nothing is new")
    const pruned = await run(["journal", "prune"], alice)
    assert.deepInclude(json(pruned)[0], { dropped: 8, feeds: 1 })
    assert.include((await aura(["status", "--data", alice], { env })).stdout, "8 dropped here")
    assert.deepInclude(json(await run(["journal", "verify"], alice))[0], { dropped: 8 })
    for (let i = 8; i < 10; i++) await run(["perform", "add", `{"title":"task ${i}"}`], alice)

    // who was there, and who was not
    const code = String(json(await run(["pair"], alice))[0]!["code"])
    const joined = await run(["join", code, "--name", "Carol"], carol)
    assert.strictEqual(joined.code, 0, joined.stdout)
    assert.strictEqual((await run(["sync"], bob)).code, 0)
    await stop(first)
    const states = [await stateOf(alice), await stateOf(bob), await stateOf(carol)]
    assert.include(states[0], "task 9")
    assert.include(states[0], "task 0")
    assert.strictEqual(states[1], states[0])
    assert.strictEqual(states[2], states[0])
    await run(["perform", "add", '{"title":"of Carol"}'], carol)
    assert.include(await stateOf(carol), "of Carol")

    // a server started again stands where it stood, and hands on
    const second = await serve(["--data", alice, "--port", "0"], { env })
    const address = String((second.ready["addresses"] as ReadonlyArray<string>)[0])
    for (const data of [carol, bob]) assert.strictEqual((await run(["sync", "--from", address], data)).code, 0)
    await stop(second)
    assert.include(await stateOf(bob), "of Carol")
    assert.strictEqual(await stateOf(bob), await stateOf(alice))

    // and comes back from a backup
    const [file, again] = [join(home, "backup"), join(home, "again")]
    assert.strictEqual((await run(["backup", file], alice)).code, 0)
    const restored = await run(["restore", file], again)
    assert.strictEqual(restored.code, 0, restored.stdout)
    assert.strictEqual(await stateOf(again), await stateOf(alice))
  })
})
