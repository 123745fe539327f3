/**
 * A process of a simulated world: fibers that run together, and that stop together when the power goes.
 *
 * All code of a process runs in tasks of the world's one queue, and each task knows its process. `kill` is therefore
 * exact: from that instant no task, timer or answer of the process runs any more. Its fibers are not interrupted, no
 * finalizer runs, nothing is flushed; it is as if the machine had lost power. (What is on the stack at that moment, a
 * process that kills itself, unwinds to its next pause; simulated effects ignore it.) A graceful stop is another
 * matter: close the process's scopes before.
 *
 * A process has a clock, a scheduler and streams of chance of its own, no configuration, no console, no tracer, so
 * what runs in it meets nothing of the real world. A Promise is of the real world too: who awaits one waits forever.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import * as Chance from "./Chance.ts"

/** The process was killed before it could answer. Whether it did what was asked is unknown, as after any crash. */
export class ProcessKilled extends Data.TaggedError("ProcessKilled")<{ readonly name: string }> {
  override get message(): string {
    return `${this.name} was killed`
  }
}

export interface Process {
  readonly name: string
  /** The process's own stream, for what happens around it; Effect's Random inside it is a further one. */
  readonly chance: Chance.Chance
  readonly secureRandom: SecureRandom.SecureRandom["Service"]
  readonly isAlive: () => boolean
  /** Ends it at once; see above. Killing twice is killing once. */
  readonly kill: () => void
  /** Calls back, once, within `kill`. The function returned withdraws that. */
  readonly onKill: (notify: () => void) => () => void
  /** Queues a task of this process, dropped if the process is dead when its turn comes. */
  readonly post: (task: () => void) => void
  /** Starts a fiber. Only tasks may call this, so that it starts with an empty stack. */
  readonly start: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /**
   * Waits for something outside the process: an answer given by `resume` reaches it through the queue, in a task of its
   * own. What `register` returns withdraws the question when the waiting fiber is interrupted.
   */
  readonly wait: <A, E = never>(
    register: (resume: (answer: Effect.Effect<A, E>) => void) => void | (() => void)
  ) => Effect.Effect<A, E>
  /** The unfinished fibers, by name where they have one: why the world stands still. */
  readonly fibers: () => ReadonlyArray<string>
  /** The defects that fibers of this process died of, whether or not somebody looked at their exits. */
  readonly defects: () => ReadonlyArray<unknown>
}

/** Whose task or timer it is. */
export type Owner = Pick<Process, "name" | "isAlive">

/** What a process needs of its world. */
export interface Kernel {
  readonly seed: number
  /** Virtual milliseconds since 1970. */
  readonly unixMillis: () => number
  readonly post: (owner: Owner, task: () => void) => void
  /** Runs the task as one of the owner's after the delay; the function returned cancels it. */
  readonly after: (owner: Owner, delayMillis: number, task: () => void) => () => void
  /** Operations a fiber may do in one task. Few make many interleavings. */
  readonly operationsPerTask: number
  readonly log: (who: string, level: string, message: unknown, cause: Cause.Cause<unknown>) => void
}

/** A living process. `stream` tells incarnations apart, so that a restarted one does not repeat its random numbers. */
export const make = (kernel: Kernel, name: string, stream: string): Process => {
  let alive = true
  const owner: Owner = { name, isAlive: () => alive }
  const mourners = new Set<() => void>()
  const roster = makeRoster(kernel.operationsPerTask)
  const secret = Chance.make(kernel.seed, `${stream}/secure`)
  const post = (task: () => void): void => kernel.post(owner, task)
  const context = Context.empty().pipe(
    Context.add(Scheduler.Scheduler, schedulerOf(post, roster)),
    Context.add(Clock.Clock, clockOf(kernel, owner)),
    Context.add(Random.Random, Chance.make(kernel.seed, `${stream}/random`).random),
    Context.add(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({})),
    Context.add(References.TracerEnabled, false),
    Context.add(Logger.CurrentLoggers, new Set([loggerOf(kernel, name)]))
  )
  return {
    name,
    chance: Chance.make(kernel.seed, stream),
    secureRandom: SecureRandom.make((size) => secret.bytes(size)),
    isAlive: owner.isAlive,
    kill: () => {
      if (!alive) return
      alive = false
      const notified = [...mourners]
      mourners.clear()
      for (const notify of notified) notify()
    },
    onKill: (notify) => {
      mourners.add(notify)
      return () => mourners.delete(notify)
    },
    post,
    start: (effect) => Effect.runForkWith(context)(effect),
    wait: (register) =>
      Effect.callback((resume) => {
        const withdraw = register((answer) => post(() => resume(answer)))
        return withdraw === undefined ? undefined : Effect.sync(withdraw)
      }),
    fibers: roster.names,
    defects: roster.defects
  }
}

/**
 * Runs an effect as a fiber of `process` and hands its exit to a fiber of `caller`. Interrupting the caller interrupts
 * the effect without waiting for it; a killed process answers `ProcessKilled`.
 */
export const within = <A, E>(
  caller: Process,
  process: Process,
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E | ProcessKilled> =>
  caller.wait<A, E | ProcessKilled>((resume) => {
    // an error is made when it is needed: it looks at its stack, which takes longer than all the rest of a call
    const killed = (): void => resume(Effect.fail(new ProcessKilled({ name: process.name })))
    if (!process.isAlive()) return killed()
    const forget = process.onKill(killed)
    let withdrawn = false
    let fiber: Fiber.Fiber<A, E> | undefined
    process.post(() => {
      if (withdrawn) return
      fiber = process.start(effect)
      fiber.addObserver((exit) => {
        forget()
        resume(exit)
      })
    })
    return () => {
      forget()
      withdrawn = true
      process.post(() => fiber?.interruptUnsafe())
    }
  })

const schedulerOf = (post: (task: () => void) => void, roster: Roster): Scheduler.Scheduler => {
  // `flush` belongs to runSync, which brings a scheduler of its own.
  const dispatcher: Scheduler.SchedulerDispatcher = { scheduleTask: post, flush: () => undefined }
  return { executionMode: "async", shouldYield: roster.shouldYield, makeDispatcher: () => dispatcher }
}

const clockOf = (kernel: Kernel, owner: Owner): Clock.Clock => {
  const millis = (): number => kernel.unixMillis()
  const nanos = (): bigint => BigInt(Math.round(millis() * 1e6))
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => {
      const delayMillis = Duration.toMillis(duration)
      if (delayMillis <= 0) return Effect.yieldNow
      if (!Number.isFinite(delayMillis)) return Effect.never
      return Effect.callback((resume) => Effect.sync(kernel.after(owner, delayMillis, () => resume(Effect.void))))
    }
  }
}

const loggerOf = (kernel: Kernel, who: string): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, logLevel, message }) => kernel.log(who, logLevel, message, cause))

interface Roster {
  readonly shouldYield: (fiber: Fiber.Fiber<unknown, unknown>) => boolean
  readonly names: () => ReadonlyArray<string>
  readonly defects: () => ReadonlyArray<unknown>
}

/** Fibers known before the finished ones among them are let go. */
const fibersKeptMin = 64

/** Meets every fiber where the runtime asks whether it should pause: nothing else tells that a fiber exists. */
const makeRoster = (operationsPerTask: number): Roster => {
  const fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  const defects = new Set<unknown>()
  let latest: Fiber.Fiber<unknown, unknown> | undefined
  let sweepAt = fibersKeptMin
  const sweep = (): void => {
    for (const fiber of fibers) {
      const exit = fiber.pollUnsafe()
      if (exit === undefined) continue
      fibers.delete(fiber)
      if (Exit.isFailure(exit))
        for (const { defect } of exit.cause.reasons.filter(Cause.isDieReason)) defects.add(defect)
    }
    sweepAt = Math.max(fibersKeptMin, 2 * fibers.size)
  }
  return {
    shouldYield: (fiber) => {
      if (fiber !== latest) {
        latest = fiber
        fibers.add(fiber)
        if (fibers.size > sweepAt) sweep()
      }
      return fiber.currentOpCount >= operationsPerTask
    },
    names: () => {
      sweep()
      return [...fibers].map((fiber) => fiber.cache.stackFrame?.name ?? "a fiber without a name")
    },
    defects: () => {
      sweep()
      return [...defects]
    }
  }
}
