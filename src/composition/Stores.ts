/**
 * Settings as handlers: which journal and which store of blobs they name, and what goes around each.
 *
 * The stack of `wrap.journal` and `wrap.storage` is applied from the outside in, as it is written.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Configuration } from "../config/Configuration.ts"
import { JournalStore, type JournalStoreError } from "../effects/JournalStore.ts"
import type { Keys } from "../effects/Keys.ts"
import { Storage, type StorageError } from "../effects/Storage.ts"
import * as MemoryJournal from "../handlers/memory/MemoryJournal.ts"
import * as MemoryStorage from "../handlers/memory/MemoryStorage.ts"
import type { DataDirectory } from "../handlers/node/DataDirectory.ts"
import * as NodeEffects from "../handlers/node/NodeEffects.ts"
import * as CircuitBreaker from "../handlers/wrappers/CircuitBreaker.ts"
import * as Faults from "../handlers/wrappers/Faults.ts"
import * as Retry from "../handlers/wrappers/Retry.ts"
import * as StorageCache from "../handlers/wrappers/StorageCache.ts"
import * as Telling from "../handlers/wrappers/Telling.ts"
import * as Wrapper from "../handlers/wrappers/Wrapper.ts"
import * as EffectTelemetry from "../observability/EffectTelemetry.ts"

/** Of the settings, those that choose stores. */
export interface Chosen {
  readonly passphrase: Configuration["keys"]["passphrase"]
  readonly journal: Configuration["journal"]
  readonly storage: Configuration["storage"]
  readonly wrap: Configuration["wrap"]
}

/** What came of each commit, as its caller is told. */
export type Committed = (exit: Exit.Exit<unknown, JournalStoreError>) => void

/** All that needs no network, as `NodeEffects.stores` gives it. */
export const stores = (home: DataDirectory, chosen: Chosen, committed?: Committed) =>
  NodeEffects.stores(home, {
    ...(chosen.passphrase !== undefined && { passphrase: chosen.passphrase }),
    journal: journal(home, chosen, committed)
  })

export const storage = (home: DataDirectory, chosen: Chosen): Layer.Layer<Storage, StorageError, Keys> =>
  around(bareStorage(home, chosen), Storage, (store) => Wrapper.wrapStorage(store, storageWrappers(chosen.wrap)))

const bareStorage = (home: DataDirectory, chosen: Chosen): Layer.Layer<Storage, StorageError, Keys> =>
  chosen.storage.kind === "memory"
    ? MemoryStorage.layer({ limitBytes: chosen.storage.limit })
    : NodeEffects.storage(home, storageOptions(chosen))

/** Where the settings want blobs that stay. */
export const storageOptions = ({
  storage: { kind, limit, s3 }
}: Pick<Chosen, "storage">): NodeEffects.StorageOptions => {
  const { accessKeyId, bucket, endpoint, secretAccessKey } = s3
  const isNamed = endpoint !== undefined && bucket !== undefined
  const isKnown = accessKeyId !== undefined && secretAccessKey !== undefined
  if (kind !== "s3" || !isNamed || !isKnown) return { limitBytes: limit }
  return { limitBytes: limit, s3: { ...s3, accessKeyId, bucket, endpoint, secretAccessKey } }
}

/** The journal that is named, with what goes around it. */
export const journal = (
  home: DataDirectory,
  { journal, wrap }: Omit<Chosen, "passphrase">,
  committed: Committed = () => undefined
): Layer.Layer<JournalStore, JournalStoreError, Keys> =>
  around(bareJournal(home, journal), JournalStore, (store) =>
    Effect.map(
      Wrapper.wrapJournal(
        store,
        wrap.journal.map((name) => makers[name](wrap))
      ),
      (wrapped) => ({
        ...wrapped,
        commit: (commit) => Effect.onExit(wrapped.commit(commit), (exit) => Effect.sync(() => committed(exit)))
      })
    )
  )

const bareJournal = (
  home: DataDirectory,
  { kind, owner, poolMax, url }: Configuration["journal"]
): Layer.Layer<JournalStore, JournalStoreError, Keys> =>
  kind === "memory"
    ? MemoryJournal.layer()
    : NodeEffects.journal(home, kind === "postgres" && url !== undefined ? { postgres: { url, owner, poolMax } } : {})

/** The layer's other services stay as they are. */
const around = <Id, S, E, R>(
  layer: Layer.Layer<Id, E, R>,
  service: Context.Service<Id, S>,
  wrap: (service: S) => Effect.Effect<S, never, Scope.Scope>
): Layer.Layer<Id, E, R> =>
  Layer.flatMap(layer, (context) =>
    Layer.effectContext(
      Effect.map(wrap(Context.get(context, service)), (wrapped) => Context.add(context, service, wrapped))
    )
  ).pipe(Layer.provide(EffectTelemetry.layer))

const makers: {
  readonly [name in Configuration["wrap"]["journal"][number]]: (wrap: Configuration["wrap"]) => Wrapper.Wrapper
} = {
  metrics: () => Telling.metrics,
  tracing: () => Telling.tracing,
  retry: () => Retry.make(),
  breaker: () => CircuitBreaker.make(),
  faults: ({ faultPercent, faultSeed }) => Faults.make({ percent: faultPercent, seed: faultSeed })
}

const storageWrappers = (wrap: Configuration["wrap"]): ReadonlyArray<Wrapper.StorageWrapper> =>
  wrap.storage.map((name) =>
    name === "cache"
      ? { _tag: "Storage", wrap: StorageCache.make({ bytesMax: wrap.cacheBytes }) }
      : { _tag: "Any", wrapper: makers[name](wrap) }
  )
