/** What Node compiled is kept for the next start, and only where nobody else can put something in its place. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { aura, folder, stopAll } from "./aura.ts"

afterAll(stopAll)

const helpWith = async (caches: string) => {
  const ended = await aura(["--help"], {
    cwd: folder(),
    env: { XDG_CACHE_HOME: caches }
  })
  assert.strictEqual(ended.code, 0, ended.stderr)
  assert.strictEqual(ended.stderr, "")
}

describe("the compile cache", () => {
  it("is made private, and kept in", async () => {
    const caches = join(folder(), "caches")
    await helpWith(caches)
    assert.strictEqual(statSync(join(caches, "aura")).mode & 0o777, 0o700)
    assert.isNotEmpty(readdirSync(join(caches, "aura")))
  })

  it("is not used where others may write", async () => {
    const caches = folder()
    mkdirSync(join(caches, "aura"))
    chmodSync(join(caches, "aura"), 0o777)
    await helpWith(caches)
    assert.isEmpty(readdirSync(join(caches, "aura")))
  })

  it("is not used through a link", async () => {
    const [caches, elsewhere] = [folder(), folder()]
    symlinkSync(elsewhere, join(caches, "aura"))
    await helpWith(caches)
    assert.isEmpty(readdirSync(elsewhere))
  })

  it("is done without where it can't be made", async () => {
    const file = join(folder(), "file")
    writeFileSync(file, "")
    await helpWith(join(file, "caches"))
    assert.isFalse(existsSync(join(file, "caches")))
  })
})
