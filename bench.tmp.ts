import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Keys } from "./src/effects/Keys.ts"
import { Network } from "./src/effects/Network.ts"
import * as MemoryKeys from "./src/handlers/memory/MemoryKeys.ts"
import * as NodeVerifier from "./src/handlers/node/NodeVerifier.ts"
import * as PrivateAuthority from "./src/handlers/node/PrivateAuthority.ts"
import * as TlsNetwork from "./src/handlers/node/TlsNetwork.ts"
const member = (seed: number, o: any) => Effect.gen(function* () {
  const keys = MemoryKeys.make({ seed: new Uint8Array(32).fill(seed) })
  const c = yield* Layer.build(TlsNetwork.layer(o).pipe(Layer.provide([Layer.succeed(Keys, keys), NodeVerifier.layer])))
  return { device: keys.device, network: Context.get(c, Network) }
})
const now = () => performance.now()
await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
  const dir = join(mkdtempSync(join(tmpdir(), "b-")), "tls")
  const a = yield* PrivateAuthority.open({ directory: dir, names: [] })
  const bob = yield* member(2, { listen: { host: "127.0.0.1", port: 0, authority: a }, plain: { port: 0 } })
  const alice = yield* member(1, {})
    const address=bob.network.addresses()[0]!
    const [ours, theirs] = yield* Effect.all([alice.network.connect(address, bob.device), bob.network.accept], { concurrency: 2 })
    for (const [size, n] of [[1000,3000],[1000,6000],[1000,12000],[300,30000],[100,40000]] as const) for (const [name, from, to] of [["up", ours, theirs], ["down", theirs, ours]] as const) {
      const f = new Uint8Array(size); const t = now()
      yield* Effect.all([Effect.gen(function* () { for (let i = 0; i < n; i++) yield* from.send(f) }), Effect.gen(function* () { for (let i = 0; i < n; i++) yield* to.receive })], { concurrency: 2 })
      const s = (now() - t) / 1000; console.log(name, size, n, "cpu s", (process.cpuUsage().user/1e6).toFixed(2), "wall", s.toFixed(2), "frames/s", Math.round(n / s), "MB/s", (n * size / s / 1e6).toFixed(0))
    }
})))
process.exit(0)
