/** One recorded trace ends in the same journal and the same state on every store, and is read back the same. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import { Keys } from "../../src/effects/Keys.ts"
import { SecretStore } from "../../src/effects/SecretStore.ts"
import { Time } from "../../src/effects/Time.ts"
import * as MemoryJournal from "../../src/handlers/memory/MemoryJournal.ts"
import * as MemorySecretStore from "../../src/handlers/memory/MemorySecretStore.ts"
import * as PostgresJournal from "../../src/handlers/node/PostgresJournal.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import { spaceId } from "../../src/identity/Id.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import { clusterOfFile } from "../handlers/clusterOfFile.ts"
import { alice, noonMillis } from "./fixtures.ts"
import { hear, outcomeOf } from "./hearing.ts"
import { verifier } from "./signing.ts"

interface Trace {
  readonly space: string
  readonly expected: ReturnType<typeof outcomeOf>
  readonly heard: ReadonlyArray<{ readonly header: string | null; readonly run: string }>
}

const trace: Trace = JSON.parse(readFileSync(new URL("../vectors/trace.json", import.meta.url), "utf8"))
const space = spaceId(Buffer.from(trace.space, "hex"))
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"))
const deliveries: ReadonlyArray<Delivery> = trace.heard.map(({ header, run }) => ({
  header: header === null ? undefined : bytesOf(header),
  run: bytesOf(run)
}))

const cluster = clusterOfFile()
const directory = mkdtempSync(join(tmpdir(), "aura-trace-"))
afterAll(() => rmSync(directory, { recursive: true }))

const disk = MemoryJournal.disk()
const stores: Readonly<Record<string, () => Layer.Layer<JournalStore, unknown>>> = {
  MemoryJournal: () => Layer.effect(JournalStore, MemoryJournal.make(disk)),
  SqliteJournal: () => SqliteJournal.layer({ path: join(directory, "journal.sqlite") }),
  PostgresJournal: () => PostgresJournal.layer({ url: cluster.url, owner: "trace" })
}

describe("a recorded trace", () => {
  for (const [name, store] of Object.entries(stores)) {
    it.live(`ends on ${name} as it was recorded, and is read back so`, () =>
      Effect.gen(function* () {
        const secrets = MemorySecretStore.make()
        const during = <A, E>(use: (replica: Replica.Replica) => Effect.Effect<A, E>) =>
          Effect.flatMap(Replica.open(space), use).pipe(
            Effect.scoped,
            Effect.provide(
              Layer.mergeAll(
                store(),
                Layer.succeed(SecretStore, secrets),
                Layer.succeed(Keys, alice),
                Layer.succeed(Time, {
                  now: () => ({
                    millis: noonMillis + 60_000,
                    uncertaintyMillis: Infinity,
                    status: "Unchecked" as const
                  })
                }),
                verifier,
                SecureRandom.layerWebCrypto
              )
            )
          )
        const heard = yield* during((replica) => Effect.map(hear(replica, deliveries), () => outcomeOf(replica)))
        assert.deepStrictEqual(heard, trace.expected)
        const readBack = yield* during((replica) => Effect.sync(() => outcomeOf(replica)))
        assert.deepStrictEqual(readBack, trace.expected)
      })
    )
  }
})
