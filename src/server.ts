/**
 * Aura on Node: everything portable, and the handlers that need files, sockets and processes.
 *
 * In a browser bundle this entry is `refusal.ts`, which names `aura/browser` instead.
 */

/** The portable part. */
export * from "./index.ts"

/** An installation on this machine: its directory, which one process owns, and every effect over it. */
export * as DataDirectory from "./handlers/node/DataDirectory.ts"
export * as NodeEffects from "./handlers/node/NodeEffects.ts"

/** The journal on a PostgreSQL server, where a file on this machine is not the place for it. */
export * as PostgresJournal from "./handlers/node/PostgresJournal.ts"

/** Every effect of a server from one configuration, and what refuses one; under the guide's name. */
export {
  ConfigurationRefused,
  createProductionEffects,
  type DeploymentConfig
} from "./composition/ProductionEffects.ts"

/** Under the name that the deployment guide gives it. */
export { make as createProductionAccessControl } from "./runtime/AccessControl.ts"
