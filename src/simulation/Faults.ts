/**
 * What goes wrong in one world, drawn from its seed before the world begins, so that it can be read and told.
 *
 * A plan fixes the links, the disks, the clocks and a list of events for a *safety phase*, in which anything may happen
 * and only safety is asked for. Then it *heals* the world: links calm, disks sound, everybody up, for good. What was
 * lost stays lost, who is wrong about the time stays wrong; from here on convergence may be demanded.
 *
 * Which kinds of faults a seed has at all is drawn first: worlds with one kind alone find what a mix of all of them
 * would hide. It crashes nobody for ever and makes nobody a liar; a scenario adds those by itself.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Agent } from "./Agents.ts"
import * as Chance from "./Chance.ts"
import * as FaultyDisk from "./FaultyDisk.ts"
import type { Conditions } from "./Links.ts"
import type { ProcessKilled } from "./Process.ts"
import type { SimulatedNetwork } from "./SimulatedNetwork.ts"
import type { World } from "./World.ts"

/** What a plan may draw from. */
export const kinds = [
  "BadLinks",
  "Tampering",
  "Partitions",
  "Severing",
  "Crashes",
  "PowerCuts",
  "Restarts",
  "BadDisks",
  "LyingDisks",
  "WrongClocks"
] as const
export type Kind = (typeof kinds)[number]

export type Fault =
  | { readonly _tag: "Partition"; readonly groups: ReadonlyArray<ReadonlyArray<string>> }
  | { readonly _tag: "Cut"; readonly from: string; readonly to: string }
  | { readonly _tag: "Mend" }
  | { readonly _tag: "Sever"; readonly one: string; readonly other: string }
  | { readonly _tag: "Crash"; readonly agent: string }
  | { readonly _tag: "Restart"; readonly agent: string }
  /** Power goes so many storage steps later. */
  | { readonly _tag: "PowerCut"; readonly agent: string; readonly steps: number }

export interface Plan {
  readonly seed: number
  readonly kinds: ReadonlyArray<Kind>
  readonly agents: ReadonlyArray<AgentPlan>
  readonly links: ReadonlyArray<{ readonly from: string; readonly to: string; readonly conditions: Conditions }>
  /** In the order of their times, which count from the begin of `carryOut`. */
  readonly events: ReadonlyArray<{ readonly atMillis: number; readonly fault: Fault }>
  readonly safetyMillis: number
}

export interface AgentPlan {
  readonly name: string
  readonly skewMillis: number
  readonly diskLies: boolean
  readonly disk: FaultyDisk.DiskFaults
  /** How long it stays down after it went down. */
  readonly downMillis: Chance.Span
}

export interface PlanOptions {
  readonly agents: ReadonlyArray<string>
  readonly safetyMillis?: number
  /** Faults that the scenario can bear; all of them by default. */
  readonly kinds?: ReadonlyArray<Kind>
  /** Time between two events in the most eventful plans. */
  readonly eventEveryMillis?: number
}

export const draw = (seed: number, options: PlanOptions): Plan => {
  const chance = Chance.make(seed, "plan")
  const { agents: names, eventEveryMillis = 2_500, safetyMillis = 60_000 } = options
  const allowed = options.kinds ?? kinds
  const drawn = kinds.filter((kind) => chance.happens(0.4) && allowed.includes(kind))
  const has = (kind: Kind): boolean => drawn.includes(kind)
  return {
    seed,
    kinds: drawn,
    agents: names.map((name) => ({
      name,
      skewMillis: has("WrongClocks") ? drawSkew(chance) : 0,
      diskLies: has("LyingDisks") && chance.happens(0.4),
      disk: has("BadDisks") ? drawDisk(chance) : FaultyDisk.sound,
      downMillis: chance.happens(0.3) ? { min: 5_000, max: 30_000 } : { min: 100, max: 5_000 }
    })),
    links: pairsOf(names).map(([from, to]) => ({ from, to, conditions: drawLink(chance, has) })),
    events: drawEvents(chance, names, { safetyMillis, eventEveryMillis }, has),
    safetyMillis
  }
}

const drawSkew = (chance: Chance.Chance): number =>
  chance.happens(0.2) ? chance.between(-600_000, 600_000) : chance.between(-60_000, 60_000)

const drawDisk = (chance: Chance.Chance): FaultyDisk.DiskFaults => ({
  latencyMillis: { min: 0, max: chance.pick([2, 20, 500]) },
  fullShare: chance.pick([0, 0, 0.05, 0.3]),
  unavailableShare: chance.pick([0, 0.02, 0.1])
})

const drawLink = (chance: Chance.Chance, has: (kind: Kind) => boolean): Conditions => {
  const bad = has("BadLinks")
  return {
    latencyMillis: bad ? { min: 1, max: chance.pick([5, 100, 3_000]) } : { min: 1, max: 50 },
    bytesPerMilli: bad ? chance.pick([5, 100, 10_000]) : 10_000,
    refusedShare: bad ? chance.pick([0, 0.2, 0.6]) : 0,
    brokenShare: bad ? chance.pick([0, 0.005, 0.05]) : 0,
    tamperedShare: has("Tampering") ? chance.pick([0, 0.005, 0.05]) : 0
  }
}

type Draw = () => Fault

const drawEvents = (
  chance: Chance.Chance,
  names: ReadonlyArray<string>,
  { eventEveryMillis, safetyMillis }: { readonly safetyMillis: number; readonly eventEveryMillis: number },
  has: (kind: Kind) => boolean
): Plan["events"] => {
  const agent = (): string => chance.pick(names)
  const two = (): ReadonlyArray<string> => chance.shuffle(names).slice(0, 2)
  const draws: ReadonlyArray<Draw> = [
    ...drawsIf(has("Partitions"), [
      () => ({ _tag: "Partition", groups: drawGroups(chance, names) }),
      () => {
        const [from = "", to = ""] = two()
        return { _tag: "Cut", from, to }
      },
      () => ({ _tag: "Mend" })
    ]),
    ...drawsIf(has("Severing"), [
      () => {
        const [one = "", other = ""] = two()
        return { _tag: "Sever", one, other }
      }
    ]),
    ...drawsIf(has("Crashes"), [() => ({ _tag: "Crash", agent: agent() })]),
    ...drawsIf(has("PowerCuts"), [() => ({ _tag: "PowerCut", agent: agent(), steps: chance.between(1, 12) })]),
    ...drawsIf(has("Restarts"), [() => ({ _tag: "Restart", agent: agent() })])
  ]
  if (draws.length === 0 || names.length < 2) return []
  const count = chance.between(1, Math.ceil(safetyMillis / eventEveryMillis))
  return Array.from({ length: count }, () => ({
    atMillis: chance.between(0, safetyMillis),
    fault: chance.pick(draws)()
  })).toSorted((one, other) => one.atMillis - other.atMillis)
}

const drawsIf = (condition: boolean, draws: ReadonlyArray<Draw>): ReadonlyArray<Draw> => (condition ? draws : [])

const drawGroups = (chance: Chance.Chance, names: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const shuffled = chance.shuffle(names)
  const at = chance.between(1, names.length - 1)
  return [shuffled.slice(0, at), shuffled.slice(at)]
}

const pairsOf = (names: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  names.flatMap((from) => names.filter((to) => to !== from).map((to): readonly [string, string] => [from, to]))

/** The plan for people: one line per fact, the quiet ones left out. */
export const describe = (plan: Plan): string =>
  [
    `seed ${plan.seed}: ${plan.kinds.join(", ") || "no faults"}; healed after ${plan.safetyMillis} ms`,
    ...plan.agents.map(describeAgent),
    ...(plan.kinds.includes("BadLinks") || plan.kinds.includes("Tampering") ? plan.links.map(describeLink) : []),
    ...plan.events.map(({ atMillis, fault }) => `  ${atMillis} ms: ${describeFault(fault)}`)
  ].join("\n")

const describeAgent = ({ disk, diskLies, downMillis, name, skewMillis }: AgentPlan): string =>
  `  ${name}: clock ${skewMillis} ms off, ${diskLies ? "a lying disk" : "a disk"} (up to ${disk.latencyMillis.max} ms, ` +
  `full ${percent(disk.fullShare)}, unavailable ${percent(disk.unavailableShare)}), ` +
  `down for ${downMillis.min} to ${downMillis.max} ms`

const describeLink = ({ conditions, from, to }: Plan["links"][number]): string =>
  `  ${from} → ${to}: up to ${conditions.latencyMillis.max} ms, ${conditions.bytesPerMilli} bytes/ms, ` +
  `refused ${percent(conditions.refusedShare)}, broken ${percent(conditions.brokenShare)}, ` +
  `tampered ${percent(conditions.tamperedShare)}`

const describeFault = (fault: Fault): string => {
  switch (fault._tag) {
    case "Partition":
      return `partition ${fault.groups.map((group) => group.join(" ")).join(" | ")}`
    case "Cut":
      return `cut ${fault.from} → ${fault.to}`
    case "Mend":
      return "mend all cuts"
    case "Sever":
      return `sever ${fault.one} and ${fault.other}`
    case "Crash":
      return `crash ${fault.agent}`
    case "Restart":
      return `restart ${fault.agent}`
    case "PowerCut":
      return `cut the power of ${fault.agent} after ${fault.steps} storage steps`
  }
}

const percent = (share: number): string => `${share * 100} %`

/** The agents of a plan, as far as faults concern them. */
export type Victim<E> = Pick<Agent<unknown, E>, "crash" | "disk" | "isUp" | "name" | "start" | "stop" | "whenDown">

/**
 * Starts everybody, lets the plan happen, heals, and ends when all are up. While faults last, who can't start tries
 * again; in the healed world a failure to start is the scenario's failure.
 */
export const carryOut = <E>(
  plan: Plan,
  world: World,
  network: SimulatedNetwork,
  victims: ReadonlyArray<Victim<E>>
): Effect.Effect<void, E | ProcessKilled> =>
  Effect.gen(function* () {
    const healed = yield* Deferred.make<void>()
    const beginMillis = world.now()
    const until = (atMillis: number) => Effect.sleep(Math.max(0, beginMillis + atMillis - world.now()))
    for (const { conditions, from, to } of plan.links) network.setLink(from, to, conditions)
    for (const victim of victims) victim.disk.setFaults(planOf(plan, victim.name).disk)
    const healing = Effect.gen(function* () {
      for (const { atMillis, fault } of plan.events) {
        yield* until(atMillis)
        yield* strike(fault, network, victims)
      }
      yield* until(plan.safetyMillis)
      network.heal()
      for (const { disk } of victims) {
        disk.setFaults(FaultyDisk.sound)
        disk.cutPowerAtStep(Infinity)
      }
      yield* Deferred.succeed(healed, undefined)
    })
    const keepers = victims.map((victim) => keep(victim, planOf(plan, victim.name), world, healed))
    yield* Effect.all([healing, ...keepers], { concurrency: "unbounded", discard: true })
  })

const planOf = (plan: Plan, name: string): AgentPlan => {
  const found = plan.agents.find((agent) => agent.name === name)
  if (found === undefined) throw new RangeError(`the plan has no ${name}`)
  return found
}

const strike = <E>(fault: Fault, network: SimulatedNetwork, victims: ReadonlyArray<Victim<E>>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const victim = "agent" in fault ? victims.find(({ name }) => name === fault.agent) : undefined
    switch (fault._tag) {
      case "Partition":
        return Effect.sync(() => network.partition(fault.groups))
      case "Cut":
        return Effect.sync(() => network.cut(fault.from, fault.to))
      case "Mend":
        return Effect.sync(network.mend)
      case "Sever":
        return Effect.sync(() => network.sever(fault.one, fault.other))
      case "Crash":
        return victim?.crash ?? Effect.void
      case "Restart":
        return victim?.stop ?? Effect.void
      case "PowerCut":
        return Effect.sync(() => victim?.disk.cutPowerAtStep(victim.disk.steps() + fault.steps))
    }
  })

/** Starts an agent whenever it is down; done when the world is healed and the agent up. */
const keep = <E>(
  victim: Victim<E>,
  { downMillis }: AgentPlan,
  world: World,
  healed: Deferred.Deferred<void>
): Effect.Effect<void, E | ProcessKilled> =>
  Effect.gen(function* () {
    const chance = world.chance(`keeper/${victim.name}`)
    while (true) {
      const wasHealed = yield* Deferred.isDone(healed)
      const exit = yield* Effect.exit(victim.start)
      if (Exit.isFailure(exit) && wasHealed) return yield* exit
      if (Exit.isSuccess(exit)) yield* Effect.raceFirst(victim.whenDown, Deferred.await(healed))
      if (victim.isUp()) return
      yield* victim.whenDown
      yield* Effect.raceFirst(Effect.sleep(chance.millis(downMillis)), Deferred.await(healed))
    }
  })
