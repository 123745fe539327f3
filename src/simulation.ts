/**
 * Worlds for tests: agents, network and clocks that follow from one seed, for whoever tests an application or a
 * handler against delays, losses and crashes.
 *
 * Nothing in here waits in real time; the same seed gives the same world.
 */

/** Your application on several devices of one world: `Aura.test`; the same in memory for `Aura.open`: `createTestEffects`. */
export * as Aura from "./simulation/Aura.ts"

/** One seed, one world: virtual time, a drawn schedule, a trace. */
export * as World from "./simulation/World.ts"

/** A network in such a world: delays, losses, duplicates, partitions. */
export * as SimulatedNetwork from "./simulation/SimulatedNetwork.ts"
