/**
 * Worlds for tests: agents, network and clocks that follow from one seed, for whoever tests an application or a
 * handler against delays, losses and crashes.
 *
 * Nothing in here waits in real time; the same seed gives the same world.
 */

/** One seed, one world: virtual time, a drawn schedule, a trace. */
export * as World from "./simulation/World.ts"

/** A network in such a world: delays, losses, duplicates, partitions. */
export * as SimulatedNetwork from "./simulation/SimulatedNetwork.ts"
