/** What a server answers over HTTP: probes, metrics, pages, and what it keeps to itself; over real sockets. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ask, parsed, server } from "./world.ts"

describe("the front door", () => {
  it.live("says that the process lives, and what is ready", () =>
    Effect.gen(function* () {
      const { plainPort, tlsPort } = yield* server()
      for (const base of [`https://127.0.0.1:${tlsPort}`, `http://127.0.0.1:${plainPort}`]) {
        const health = yield* ask(`${base}/healthz`)
        assert.deepStrictEqual([health.status, parsed(health)], [200, { ok: true }])
        const ready = yield* ask(`${base}/readyz`)
        assert.strictEqual(ready.status, 200)
        console.log(ready.text, ready.headers)
        const page = yield* ask(`${base}/`)
        assert.strictEqual(page.status, 200)
        console.log(page.text.slice(0,200).length, (yield* ask(`${base}/metrics`)).text.split("\n").length)
      }
    }).pipe(Effect.scoped)
  )
})
