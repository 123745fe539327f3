/**
 * Every effect of a server from one configuration: the deployment guide's `create_production_effects`.
 *
 *     storage_path          data                      encryption_key      keys.passphrase (seals the keys that seal blobs)
 *     database_url          journal.url               connection_pool_size   journal.poolMax
 *     listen_port           listen.host, listen.port  tls_*               made and renewed under DATA/tls
 *
 * The configuration is what `aura.toml` holds, as an object: read by `aura config`, or written in code, defaults left out or
 * not. All that is wrong with it is told at once, and with `production: true` all that production refuses, by the names of the
 * settings. The layer owns the data directory as long as it lives: a second one over the same directory fails.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { Configuration } from "../config/Configuration.ts"
import * as Reading from "../config/Reading.ts"
import type { Fault } from "../config/Sources.ts"
import * as DataDirectory from "../handlers/node/DataDirectory.ts"
import * as NodeEffects from "../handlers/node/NodeEffects.ts"
import * as Stores from "./Stores.ts"

/** A secret may be handed over bare, and is wrapped at once. */
type Bare<T> = T extends Redacted.Redacted<infer A> ? T | A : T

type Section<T> = { readonly [K in keyof T]?: Bare<T[K]> }

/** The settings of `aura.toml`; each may be left out. */
export type DeploymentConfig = {
  readonly [K in keyof Configuration]?: NonNullable<Configuration[K]> extends string | boolean | ReadonlyArray<unknown>
    ? Configuration[K]
    : Section<Configuration[K]>
}

/** Nothing was opened. Secrets are not among what is told. */
export class ConfigurationRefused extends Data.TaggedError("ConfigurationRefused")<{
  readonly faults: ReadonlyArray<Fault>
}> {
  override get message(): string {
    return `the configuration is refused: ${this.faults.map(sentence).join("; ")}`
  }
}

const sentence = ({ allowed, setting, value, what }: Fault): string =>
  `${setting ?? "settings"}${what === undefined ? "" : ` (${what})`}${value === undefined ? "" : ` is ${value}`}, allowed: ${allowed}`

/** Relative paths start from the working directory. `request` answers HTTP on the listeners, beside devices. */
export const createProductionEffects = (
  config: DeploymentConfig,
  { request }: Pick<NodeEffects.NetworkOptions, "request"> = {}
) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const reading = yield* Reading.ofObject({ ...config }, ".", { name: "" })
      const { configuration, data, faults, refused } = reading
      if (configuration === undefined || refused.length > 0)
        return yield* new ConfigurationRefused({ faults: [...faults, ...refused] })
      const { journal, keys, listen, production, storage, wrap } = configuration
      const chosen: Stores.Chosen = { passphrase: keys.passphrase, journal, storage, wrap }
      const home = yield* DataDirectory.open(data)
      const network = NodeEffects.network(home, {
        listen: { host: listen.host, port: listen.port },
        ...(request !== undefined && { request }),
        ...(production ? {} : { plain: { port: listen.http } }),
        ...(listen.advertise.length > 0 && { advertise: listen.advertise })
      })
      return Layer.mergeAll(network, Stores.storage(home, chosen)).pipe(Layer.provideMerge(Stores.stores(home, chosen)))
    })
  )
