/** One configuration becomes every effect, and what is insecure is refused by name. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Aura, type BlobRef } from "aura"
import { ConfigurationRefused, createProductionEffects, type DeploymentConfig } from "aura/server"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { app } from "../../examples/tasks/app.ts"
import { journalStoreLaws } from "../../src/conformance/JournalStoreLaws.ts"
import { storageLaws } from "../../src/conformance/StorageLaws.ts"
import * as Reading from "../../src/config/Reading.ts"
import { Storage } from "../../src/effects/Storage.ts"
import { deviceId } from "../../src/identity/Id.ts"

const folder = mkdtempSync(join(tmpdir(), "aura-production-"))
afterAll(() => rmSync(folder, { recursive: true }))

const root = deviceId(new Uint8Array(32).fill(9))
const free = { port: 0, http: 0 }

const refusedOf = async (config: DeploymentConfig): Promise<ConfigurationRefused> => {
  const exit = await Effect.runPromiseExit(Effect.scoped(Layer.build(createProductionEffects(config))))
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, ConfigurationRefused)
  return error
}

describe("production effects", () => {
  it("run an application from a configuration, and keep what it wrote", async () => {
    const config: DeploymentConfig = {
      data: join(folder, "alice"),
      listen: free,
      wrap: { journal: ["metrics", "retry"] }
    }
    const first = await Aura.open({ app, effects: createProductionEffects(config), found: { root } })
    await first.perform("add", { title: "milk" })
    await first.close()
    const second = await Aura.open({ app, effects: createProductionEffects(config) })
    assert.strictEqual(second.state().tasks.size, 1)
    await second.close()
  })

  it("take the configuration as it was read, defaults and all", async () => {
    const read = await Effect.runPromise(Reading.ofObject({ production: true }, folder, { name: "host" }))
    const passphrase = Redacted.make("correct horse battery")
    const config = { ...read.configuration!, data: join(folder, "bob"), keys: { passphrase } }
    const effects = createProductionEffects({ ...config, listen: { ...config.listen, port: 0 } })
    const aura = await Aura.open({ app, effects, found: { root } })
    await aura.perform("add", { title: "milk" })
    await aura.close()
  })

  it("refuse what is insecure in production, all of it at once, by name and without secrets", async () => {
    const data = join(folder, "carol")
    const url = "postgres://aura:topsecret@db.example/aura?sslmode=disable"
    const { faults, message } = await refusedOf({
      production: true,
      data,
      listen: { http: 8081 },
      journal: { kind: "memory", url },
      storage: { kind: "memory" },
      wrap: { journal: ["faults"], storage: ["faults", "cache"] }
    })
    assert.sameMembers(
      faults.map(({ setting }) => setting),
      ["listen.http", "keys.passphrase", "journal.kind", "journal.url", "storage.kind", "wrap.journal", "wrap.storage"]
    )
    assert.include(message, "journal.kind (refused in production) is memory")
    assert.notInclude(message, "topsecret")
    assert.isFalse(existsSync(data), "nothing was opened")
  })

  it("tell what is no setting and what is no value", async () => {
    const wrong: object = { journal: { kind: "oracle" }, liste: {} }
    const { faults } = await refusedOf(wrong)
    assert.sameMembers(
      faults.map(({ setting }) => setting),
      ["journal.kind", "liste"]
    )
  })

  it("may keep the journal in memory outside production", async () => {
    const data = join(folder, "dave")
    const effects = createProductionEffects({ data, listen: free, journal: { kind: "memory" } })
    const aura = await Aura.open({ app, effects, found: { root } })
    await aura.close()
    assert.isFalse(existsSync(join(data, "journal.sqlite")))
  })

  const read = async ({ blobs }: Pick<Aura.Aura<typeof app>, "blobs">, ref: BlobRef) => {
    const bytes: Array<number> = []
    for await (const part of blobs.get(ref)) bytes.push(...part)
    return bytes
  }

  for (const kind of ["file", "memory"] as const) {
    it(`keep an application's blobs by storage.kind = "${kind}"`, async () => {
      const data = join(folder, `blobs-${kind}`)
      const opened = () => {
        const effects = createProductionEffects({ data, listen: free, storage: { kind } })
        return Aura.open({ app, effects, found: { root } })
      }
      const first = await opened()
      const ref = await first.blobs.put(new Uint8Array([1, 2, 3]), { type: "image/png" })
      assert.deepStrictEqual(await read(first, ref), [1, 2, 3])
      await first.close()
      const second = await opened()
      const found = await read(second, ref).catch((error: { readonly _tag: string }) => error._tag)
      assert.deepStrictEqual(found, kind === "file" ? [1, 2, 3] : "BlobAbsent")
      await second.close()
      assert.strictEqual(existsSync(join(data, "blobs")), kind === "file")
    })
  }

  it.live("have stores that keep every law through the wrappers that were named", () =>
    Effect.gen(function* () {
      let count = 0
      const fresh = () =>
        createProductionEffects({
          data: join(folder, `law-${count++}`),
          listen: free,
          wrap: {
            journal: ["tracing", "metrics", "breaker", "retry"],
            storage: ["metrics", "cache", "retry", "breaker"]
          }
        })
      const laws = yield* Layer.build(fresh())
      for (const law of storageLaws) yield* Effect.provide(law.check, laws)
      for (const law of journalStoreLaws) yield* Effect.scoped(Effect.provide(law.check, fresh()))
      assert.deepStrictEqual(yield* Context.get(laws, Storage).get("never put"), Option.none())
    }).pipe(Effect.scoped)
  )
})
