/**
 * The disk of one simulated installation: a journal store, a secret store and blobs that survive crashes, or should.
 *
 * An honest disk keeps its contract: a commit takes virtual time, is there whole or not at all, and once acknowledged
 * no loss of power takes it back. Its faults are those a contract names: slow, full, unavailable, where an unavailable
 * commit took place or did not. A *lying* disk acknowledges commits that are not durable yet: after a loss of power
 * the newest of them are gone (never one from the middle), while secrets are kept, so that the tokens which tell that
 * history was lost can do their work. It breaks its contract on purpose; what must hold then is weaker.
 *
 * Power can be cut at a storage step: each write has one step before it takes place and one after, before it is
 * acknowledged. Cutting at step 1, 2, 3… kills the process at every place where it matters.
 *
 * Bytes are not altered at rest: who reads verifies, and that is tested where the bytes are understood.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  JournalFull,
  JournalStore,
  JournalStoreError,
  JournalUnavailable,
  type Commit,
  type StoredRun
} from "../effects/JournalStore.ts"
import { SecretStore, SecretStoreError, SecretStoreUnavailable } from "../effects/SecretStore.ts"
import { Storage } from "../effects/Storage.ts"
import * as MemoryJournal from "../handlers/memory/MemoryJournal.ts"
import * as MemorySecretStore from "../handlers/memory/MemorySecretStore.ts"
import * as MemoryStorage from "../handlers/memory/MemoryStorage.ts"
import { short, type SpaceId } from "../identity/Id.ts"
import type { Span } from "./Chance.ts"
import type { Process } from "./Process.ts"
import type { World } from "./World.ts"

/** Shares are probabilities, 0 to 1. */
export interface DiskFaults {
  /** Of each call; half of it before a write takes place. */
  readonly latencyMillis: Span
  /** Of commits: refused because there is no room. */
  readonly fullShare: number
  /** Of calls: fail as unavailable. Of the writes among them, about half take place. */
  readonly unavailableShare: number
}

/** Immediate and faultless. */
export const sound: DiskFaults = { latencyMillis: { min: 0, max: 0 }, fullShare: 0, unavailableShare: 0 }

export interface FaultyDisk {
  /** The stores as the process sees them; one process at a time, else `JournalLocked`. */
  readonly open: (process: Process) => Layer.Layer<JournalStore | SecretStore | Storage, JournalStoreError>
  /** From now on. */
  readonly setFaults: (faults: DiskFaults) => void
  /** Storage steps so far. */
  readonly steps: () => number
  /** Kills the process that takes storage step number `step`, counted from 1. */
  readonly cutPowerAtStep: (step: number) => void
  /** To be run between a kill and the next `open`: frees the lock, and loses what a lying disk had not written. */
  readonly afterPowerLoss: Effect.Effect<void>
}

type Write =
  | { readonly _tag: "Commit"; readonly commit: Commit }
  | { readonly _tag: "Repack"; readonly space: SpaceId; readonly run: StoredRun }

/** Of writes to a lying disk: all until now become durable. */
const flushShare = 0.3

export const make = (world: World, name: string, options: { readonly lies?: boolean } = {}): FaultyDisk => {
  const chance = world.chance(`disk/${name}`)
  const lies = options.lies === true
  const secrets = MemorySecretStore.make()
  const blobs = MemoryStorage.make()
  let faults = sound
  let disk = MemoryJournal.disk()
  let steps = 0
  let powerCutStep = Infinity
  /** Of a lying disk: every write since it was new, of which the first `flushed` are durable. */
  const writes: Array<Write> = []
  let flushed = 0

  const remember = (write: Write): void => {
    if (!lies) return
    writes.push(ownCopy(write))
    if (chance.happens(flushShare)) flushed = writes.length
  }
  const step = (process: Process): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (!process.isAlive()) return Effect.never
      steps += 1
      if (steps !== powerCutStep) return Effect.void
      world.trace(name, `loses power at storage step ${steps}`)
      process.kill()
      return Effect.never
    })
  const pause = (millis: number): Effect.Effect<void> => (millis > 0 ? Effect.sleep(millis) : Effect.void)
  const delay = Effect.suspend(() => pause(chance.millis(faults.latencyMillis)))

  /** One that takes place between two steps, or fails before or after. Not interruptible, like a call to the system. */
  const write = <A, E>(
    process: Process,
    what: string,
    act: Effect.Effect<A, E>,
    unavailable: () => E,
    full?: () => E
  ): Effect.Effect<A, E> =>
    Effect.gen(function* () {
      yield* delay
      if (full !== undefined && chance.happens(faults.fullShare)) {
        world.trace(name, `${what}: full`)
        return yield* Effect.fail(full())
      }
      const fails = chance.happens(faults.unavailableShare)
      if (fails && chance.happens(0.5)) {
        world.trace(name, `${what}: unavailable, did not take place`)
        return yield* Effect.fail(unavailable())
      }
      yield* step(process)
      const result = yield* act
      world.trace(name, `${what}: ${fails ? "unavailable, took place" : "done"}`)
      yield* step(process)
      yield* delay
      return fails ? yield* Effect.fail(unavailable()) : result
    }).pipe(Effect.uninterruptible)
  const read = <A, E>(process: Process, act: Effect.Effect<A, E>, unavailable: () => E): Effect.Effect<A, E> =>
    Effect.gen(function* () {
      yield* delay
      if (!process.isAlive()) return yield* Effect.never
      if (chance.happens(faults.unavailableShare)) return yield* Effect.fail(unavailable())
      return yield* act
    })

  const journalOf = (process: Process, inner: JournalStore["Service"]): JournalStore["Service"] => {
    const unavailable = () =>
      new JournalStoreError({ reason: new JournalUnavailable({ what: "the disk did not answer" }) })
    const full = () => new JournalStoreError({ reason: new JournalFull({ what: "the simulated disk" }) })
    const reading = <A>(act: Effect.Effect<A, JournalStoreError>) => read(process, act, unavailable)
    const writing = (what: string, entry: Write, act: Effect.Effect<void, JournalStoreError>) =>
      write(
        process,
        what,
        Effect.tap(act, () => Effect.sync(() => remember(entry))),
        unavailable,
        full
      )
    return JournalStore.of({
      persistenceGuaranteed: !lies,
      spaces: reading(inner.spaces),
      feeds: (space) => reading(inner.feeds(space)),
      commit: (commit) => writing(textOf(commit), { _tag: "Commit", commit }, inner.commit(commit)),
      read: (space, feed, from, bytesMax) => reading(inner.read(space, feed, from, bytesMax)),
      repack: (space, run) =>
        writing(
          `repack ${short(run.feed)} ${run.first}-${run.last}`,
          { _tag: "Repack", space, run },
          inner.repack(space, run)
        ),
      local: (space, row) => reading(inner.local(space, row)),
      result: (space, requester, key) => reading(inner.result(space, requester, key))
    })
  }
  const secretsOf = (process: Process): SecretStore["Service"] => {
    const unavailable = () =>
      new SecretStoreError({ reason: new SecretStoreUnavailable({ what: "the disk did not answer" }) })
    return SecretStore.of({
      get: (secret) => read(process, secrets.get(secret), unavailable),
      put: (secret, bytes) => write(process, `secret ${secret}`, secrets.put(secret, bytes), unavailable),
      remove: (secret) => write(process, `secret ${secret} removed`, secrets.remove(secret), unavailable),
      level: secrets.level
    })
  }

  return {
    open: (process) =>
      Layer.effectContext(
        Effect.gen(function* () {
          const journal = yield* MemoryJournal.make(disk)
          return Context.make(JournalStore, journalOf(process, journal)).pipe(
            Context.add(SecretStore, secretsOf(process)),
            Context.add(Storage, blobs)
          )
        })
      ),
    setFaults: (next) => {
      faults = next
    },
    steps: () => steps,
    cutPowerAtStep: (at) => {
      powerCutStep = at
    },
    afterPowerLoss: Effect.gen(function* () {
      yield* MemoryJournal.kill(disk)
      const kept = chance.between(flushed, writes.length)
      if (kept === writes.length) return
      world.trace(name, `the disk lost ${writes.length - kept} acknowledged writes`)
      writes.length = kept
      flushed = kept
      disk = MemoryJournal.disk()
      yield* replay(disk, writes)
    })
  }
}

/** Writes that a disk once took, taken again by an empty one: a failure would be our own mistake. */
const replay = (disk: MemoryJournal.Disk, writes: ReadonlyArray<Write>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const journal = yield* MemoryJournal.make(disk)
    for (const write of writes) {
      yield* write._tag === "Commit" ? journal.commit(write.commit) : journal.repack(write.space, write.run)
    }
  }).pipe(Effect.scoped, Effect.orDie)

const ownCopy = (write: Write): Write =>
  write._tag === "Repack" ? { ...write, run: copyOfRun(write.run) } : { _tag: "Commit", commit: copyOf(write.commit) }

/** Buffers of a commit belong to the caller again once it is answered. */
const copyOf = ({ feeds = [], locals = [], results = [], runs = [], space }: Commit): Commit => ({
  space,
  feeds: feeds.map(({ feed, header }) => ({ feed, header: new Uint8Array(header) })),
  runs: runs.map(copyOfRun),
  results: results.map((result) => ({
    ...result,
    payload: new Uint8Array(result.payload),
    result: new Uint8Array(result.result)
  })),
  locals: locals.map(({ bytes, name }) => ({ name, bytes: bytes === null ? null : new Uint8Array(bytes) }))
})

const copyOfRun = (run: StoredRun): StoredRun => ({ ...run, bytes: new Uint8Array(run.bytes) })

const textOf = ({ locals = [], results = [], runs = [], space }: Commit): string => {
  const parts = [
    ...runs.map(({ feed, first, last }) => `${short(feed)} ${first}-${last}`),
    ...locals.map(({ name }) => name),
    ...results.map(({ key }) => `result ${key}`)
  ]
  return `commit ${short(space)} [${parts.join(", ")}]`
}
