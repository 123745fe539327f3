/**
 * One seed, one world: runs a program in virtual time, on a schedule drawn from the seed, synchronously and repeatably.
 *
 * All fibers of all processes share one queue of tasks. Which task is next is drawn; when none is left, time jumps to
 * the next timer, in whole milliseconds. Equal seeds of equal code give equal traces, whose hash says so. A world can't hang: it ends when
 * the scenario ends, or as `WorldStuck` when nothing can run any more, when time stands still while tasks go on, or
 * when a budget is spent. Whatever still runs when the scenario ends is dropped where it stands.
 *
 * It knows no network, disk or agent: those are built on processes (Process.ts) and timers by the files beside it.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Chance from "./Chance.ts"
import * as Process from "./Process.ts"
import * as Timers from "./Timers.ts"
import * as Trace from "./Trace.ts"

/**
 * `Deadlock`: nothing can run and no timer is set. `Livelock`: tasks without end at one instant. `OutOfSteps`,
 * `OutOfTime`: the scenario did not end within the budget of tasks or of virtual time.
 */
export class WorldStuck extends Data.TaggedError("WorldStuck")<{
  readonly kind: "Deadlock" | "Livelock" | "OutOfSteps" | "OutOfTime"
  readonly seed: number
  readonly atMillis: number
  readonly steps: number
  /** `<process>: <fibers>` for each process with unfinished fibers. */
  readonly waiting: ReadonlyArray<string>
  /** `<instant> ms <process>`, the nearest first. */
  readonly timers: ReadonlyArray<string>
}> {
  override get message(): string {
    const why = {
      Deadlock: "nothing can run and no timer is set (a fiber that awaits a real promise looks like this too)",
      Livelock: "tasks go on without end while time stands still",
      OutOfSteps: "the budget of tasks is spent",
      OutOfTime: "the budget of virtual time is spent"
    }[this.kind]
    return [
      `seed ${this.seed} at ${this.atMillis} ms after ${this.steps} tasks: ${why}`,
      `unfinished: ${this.waiting.join("; ") || "nothing"}`,
      `timers: ${this.timers.join(", ") || "none"}`
    ].join("\n")
  }
}

export interface Options {
  readonly seed: number
  /** Tasks before the world counts as `OutOfSteps`. */
  readonly stepsMax?: number
  /** Tasks at one instant before it counts as `Livelock`. */
  readonly stepsPerInstantMax?: number
  /** Virtual time before it counts as `OutOfTime`. */
  readonly virtualMillisMax?: number
  /** Trace lines kept for reading. */
  readonly linesKept?: number
  /** Receives what programs log, one line per call. Nowhere by default. */
  readonly log?: (line: string) => void
}

export interface Outcome<A, E> {
  readonly seed: number
  readonly exit: Exit.Exit<A, E | WorldStuck>
  /** Equal for equal seeds, or something outside the seed had a say. */
  readonly traceHash: string
  /** The newest lines of the trace. */
  readonly trace: ReadonlyArray<string>
  /** `<process>: <defect>`, also of fibers whose exits nobody looked at, and of the dead. */
  readonly defects: ReadonlyArray<string>
  readonly steps: number
  readonly virtualMillis: number
}

export interface World {
  readonly seed: number
  /** Virtual milliseconds since the world began. */
  readonly now: () => number
  /** The stream of this label: the same one again for the same label. */
  readonly chance: (label: string) => Chance.Chance
  readonly trace: (who: string, what: string) => void
  /** The process that runs the scenario. It can't be killed. */
  readonly scenario: Process.Process
  /** A new process. A name may be used again, by a later incarnation. */
  readonly process: (name: string) => Process.Process
  /** Runs an effect inside a process, for the scenario; see `Process.within`. */
  readonly within: <A, E>(
    process: Process.Process,
    effect: Effect.Effect<A, E>
  ) => Effect.Effect<A, E | Process.ProcessKilled>
  /** Runs a task of the world itself, which nothing kills; the function returned cancels it. */
  readonly after: (delayMillis: number, task: () => void) => () => void
}

/** When worlds begin: 2025-01-01T00:00:00Z. */
export const beginUnixMillis = 1_735_689_600_000

interface Task {
  readonly owner: Process.Owner
  readonly run: () => void
}

/** A world that its caller runs piece by piece; between the pieces it stands still. */
export interface Opened {
  readonly world: World
  /** Runs an effect as the scenario, with everything that happens meanwhile, until the effect ends. Never throws for it. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Exit.Exit<A, E | WorldStuck>
  readonly outcome: <A, E>(exit: Exit.Exit<A, E | WorldStuck>) => Outcome<A, E>
}

/** Runs the scenario to its end. Synchronous; never throws for what the scenario does. */
export const run = <A, E>(
  options: Options,
  scenario: (world: World) => Effect.Effect<A, E, Scope.Scope>
): Outcome<A, E> => {
  const opened = open(options)
  return opened.outcome(opened.run(Effect.suspend(() => scenario(opened.world))))
}

/** A world in which nothing has happened yet. */
export const open = (options: Options): Opened => {
  const machine = makeMachine(options)
  return {
    world: machine.world,
    run: <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => {
      let exit: Exit.Exit<A, E> | undefined
      machine.world.scenario.post(() => {
        const fiber = machine.world.scenario.start(Effect.scoped(effect))
        fiber.addObserver((result) => {
          exit = result
        })
      })
      const stuck = machine.turn(() => exit !== undefined)
      return exit ?? Exit.fail(stuck ?? machine.stuck("Deadlock"))
    },
    outcome: (exit) => {
      machine.world.trace("world", `ends after ${machine.steps()} tasks`)
      return {
        seed: options.seed,
        exit,
        traceHash: machine.trace.hash(),
        trace: machine.trace.tail(),
        defects: machine.defects(),
        steps: machine.steps(),
        virtualMillis: machine.world.now()
      }
    }
  }
}

/** True as soon as the condition holds, asked again and again; false if it still does not after `withinMillis`. */
export const eventually = <E, R>(
  condition: Effect.Effect<boolean, E, R>,
  { everyMillis = 250, withinMillis }: { readonly withinMillis: number; readonly everyMillis?: number }
): Effect.Effect<boolean, E, R> =>
  Effect.gen(function* () {
    for (let waitedMillis = 0; !(yield* condition); waitedMillis += everyMillis) {
      if (waitedMillis >= withinMillis) return false
      yield* Effect.sleep(everyMillis)
    }
    return true
  })

const makeMachine = (options: Options) => {
  const { linesKept = 1_000, seed, stepsMax = 20_000_000, stepsPerInstantMax = 200_000 } = options
  const { virtualMillisMax = 30 * 24 * 3_600_000 } = options
  const trace = Trace.make(linesKept)
  const timers = Timers.make<Task>()
  const tasks: Array<Task> = []
  const schedule = Chance.make(seed, "schedule")
  const processes: Array<Process.Process> = []
  const chances = new Map<string, Chance.Chance>()
  const incarnations = new Map<string, number>()
  let nowMillis = 0
  let steps = 0

  const post = (owner: Process.Owner, task: () => void): void => {
    if (owner.isAlive()) tasks.push({ owner, run: task })
  }
  const after = (owner: Process.Owner, delayMillis: number, run: () => void): (() => void) => {
    const timer = timers.set(nowMillis + Math.max(0, Math.ceil(delayMillis)), { owner, run })
    return () => {
      timer.cancelled = true
    }
  }
  const log = (who: string, level: string, message: unknown, cause: Cause.Cause<unknown>): void =>
    options.log?.(
      `${nowMillis} ${who} ${level} ${String(message)}${cause.reasons.length === 0 ? "" : `\n${Cause.pretty(cause)}`}`
    )
  const operationsPerTask = schedule.pick([32, 128, 512])
  const kernel = { seed, unixMillis: () => beginUnixMillis + nowMillis, post, after, operationsPerTask, log }
  const process = (name: string): Process.Process => {
    const incarnation = (incarnations.get(name) ?? 0) + 1
    incarnations.set(name, incarnation)
    const made = Process.make(kernel, name, `process/${name}/${incarnation}`)
    processes.push(made)
    return made
  }
  const scenario = process("scenario")
  const always: Process.Owner = { name: "world", isAlive: () => true }
  const world: World = {
    seed,
    now: () => nowMillis,
    chance: (label) => {
      const known = chances.get(label) ?? Chance.make(seed, `world/${label}`)
      chances.set(label, known)
      return known
    },
    trace: (who, what) => trace.add(nowMillis, who, what),
    scenario,
    process,
    within: (inside, effect) => Process.within(scenario, inside, effect),
    after: (delayMillis, task) => after(always, delayMillis, task)
  }

  /** Runs one task, drawn from all that can run. */
  const step = (): void => {
    const index = tasks.length === 1 ? 0 : schedule.between(0, tasks.length - 1)
    const task = tasks[index]
    const last = tasks.pop()
    if (task === undefined || last === undefined) return
    if (index < tasks.length) tasks[index] = last
    steps += 1
    if (task.owner.isAlive()) task.run()
  }
  const stuck = (kind: WorldStuck["kind"]): WorldStuck =>
    new WorldStuck({
      kind,
      seed,
      atMillis: nowMillis,
      steps,
      waiting: processes.flatMap((each) => (each.isAlive() ? unfinished(each) : [])),
      timers: timers
        .pending()
        .toSorted((one, other) => one.atMillis - other.atMillis)
        .slice(0, 10)
        .map(({ atMillis, item }) => `${atMillis} ms ${item.owner.name}`)
    })
  /** Runs until the scenario is done, or says why it will never be. */
  const turn = (isDone: () => boolean): WorldStuck | undefined => {
    let stepsAtInstant = 0
    while (!isDone()) {
      if (tasks.length > 0) {
        step()
        stepsAtInstant += 1
        if (stepsAtInstant > stepsPerInstantMax) return stuck("Livelock")
        if (steps > stepsMax) return stuck("OutOfSteps")
        continue
      }
      const due = timers.next()
      const first = due[0]
      if (first === undefined) return stuck("Deadlock")
      if (first.atMillis > virtualMillisMax) return stuck("OutOfTime")
      nowMillis = first.atMillis
      stepsAtInstant = 0
      for (const { item } of due) post(item.owner, item.run)
    }
    return undefined
  }
  const defects = (): ReadonlyArray<string> =>
    processes.flatMap(({ defects, name }) => defects().map((defect) => `${name}: ${describe(defect)}`))
  return { world, trace, turn, stuck, steps: () => steps, defects }
}

/** `<process>: 3 × Replica.open, a fiber without a name`. */
const unfinished = ({ fibers, name }: Process.Process): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const fiber of fibers()) counts.set(fiber, (counts.get(fiber) ?? 0) + 1)
  const texts = [...counts].map(([fiber, count]) => (count === 1 ? fiber : `${count} × ${fiber}`))
  return texts.length === 0 ? [] : [`${name}: ${texts.join(", ")}`]
}

const describe = (defect: unknown): string =>
  defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)
