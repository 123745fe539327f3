/**
 * One seed played to its end: real agents found a space, work, suffer, disagree, are healed, and must agree.
 *
 *   1. beginning   on sound disks and calm links the cast founds the space and invites each other, clocks already wrong
 *   2. safety      faults (Faults.ts) and incidents (Story.ts) happen while everybody works; nothing is demanded
 *                  but what the witness sees at once (Watch.ts)
 *   3. liveness    links calm, disks sound, everybody up: within a bound everyone who takes another for a member has
 *                  the same, and every open operation has an answer
 *   4. checking    Checkers.ts
 *
 * It invents nothing that people could not do: all is done through agents, except lies and the root key.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type { Verifier } from "../effects/Verifier.ts"
import type { SpaceId } from "../identity/Id.ts"
import * as Operations from "../runtime/Operations.ts"
import type { Author } from "../runtime/Write.ts"
import * as Agents from "./Agents.ts"
import * as Checkers from "./Checkers.ts"
import * as Deceit from "./Deceit.ts"
import * as Devices from "./Devices.ts"
import * as Faults from "./Faults.ts"
import * as Hostility from "./Hostility.ts"
import * as Incidents from "./Incidents.ts"
import type * as Voice from "./lies/Voice.ts"
import * as Notebook from "./Notebook.ts"
import * as Records from "./Records.ts"
import * as SimulatedNetwork from "./SimulatedNetwork.ts"
import * as Statements from "./Statements.ts"
import * as Story from "./Story.ts"
import * as Watch from "./Watch.ts"
import * as Workload from "./Workload.ts"
import * as World from "./World.ts"

export interface Options {
  readonly seed: number
  /** One for all worlds saves making keys again. */
  readonly keyring?: Agents.Keyring
  /** Must answer at once: a world does not wait for promises. */
  readonly verifier?: Layer.Layer<Verifier>
  readonly log?: (line: string) => void
  /** Lines of the trace kept for reading. */
  readonly linesKept?: number
}

/** What became of one seed. */
export interface Played {
  readonly seed: number
  readonly violations: ReadonlyArray<Checkers.Violation>
  readonly traceHash: string
  /** The newest lines of what happened. */
  readonly trace: ReadonlyArray<string>
  /** Faults and story, for people. */
  readonly about: string
  readonly figures: Figures
}

export interface Figures {
  readonly virtualMillis: number
  readonly steps: number
  readonly operations: number
  /** The names of the operations of which some were performed. */
  readonly performed: ReadonlyArray<string>
  readonly entries: number
  readonly overturnings: number
  /** Messages by which devices that were put out were told so. */
  readonly dismissals: number
}

const safetyMillis = 20_000
const eventEveryMillis = 800

/** Time to converge: a clock ten minutes wrong makes entries that are held for minutes. */
const convergenceMillis = 40 * 60_000

type Actor = Agents.Agent<Devices.Device, Devices.DeviceError>

export const play = (options: Options): Played => {
  const { seed } = options
  const { story, ...hostility } = Hostility.draw(seed, safetyMillis, Story.draw(seed, safetyMillis))
  const plan = planOf(seed, story, hostility)
  const deeds: Array<Workload.Deed> = []
  let figures = { entries: 0, overturnings: 0, dismissals: 0 }
  const outcome = World.run(
    {
      seed,
      virtualMillisMax: 6 * 3_600_000,
      ...(options.log === undefined ? {} : { log: options.log }),
      ...(options.linesKept === undefined ? {} : { linesKept: options.linesKept })
    },
    Effect.fnUntraced(function* (world) {
      const stage = makeStage(world, plan, story, options)
      const knowledge = yield* begin(stage, story, hostility)
      const deceit = knowledge === undefined ? undefined : { hostility, knowledge }
      yield* suffer(stage, plan, story, deeds, deceit)
      const violations = yield* conclude(stage, story, deeds)
      const { dismissals, overturnings } = stage.watch
      figures = { entries: stage.entries(), overturnings: overturnings(), dismissals: dismissals() }
      return violations
    })
  )
  const wrong = Exit.isSuccess(outcome.exit) ? outcome.exit.value : [ended(outcome.exit.cause)]
  const defects = outcome.defects.map((what): Checkers.Violation => ({ checker: "defect", what }))
  const performed = deeds.filter((deed) => deed.outcome === "Performed")
  return {
    seed,
    violations: [...wrong, ...defects],
    traceHash: outcome.traceHash,
    trace: outcome.trace,
    about: [Faults.describe(plan), Story.describe(story), Hostility.describe(hostility)].join("\n"),
    figures: {
      ...figures,
      virtualMillis: outcome.virtualMillis,
      steps: outcome.steps,
      operations: performed.length,
      performed: [...new Set(performed.map(({ name }) => name))]
    }
  }
}

const planOf = (seed: number, { cast }: Story.Story, { events }: Hostility.Hostility): Faults.Plan => {
  const plan = Faults.draw(seed, { agents: cast.map(({ name }) => name), safetyMillis, eventEveryMillis })
  return { ...plan, events: [...plan.events, ...events].toSorted((one, other) => one.atMillis - other.atMillis) }
}

const ended = (cause: Cause.Cause<unknown>): Checkers.Violation => {
  const error = Cause.squash(cause)
  return error instanceof World.WorldStuck
    ? { checker: "stuck", what: error.message }
    : { checker: "scenario", what: Cause.pretty(cause) }
}

interface Stage {
  readonly world: World.World
  readonly network: SimulatedNetwork.SimulatedNetwork
  readonly people: Agents.Agents
  readonly actors: ReadonlyMap<string, Actor>
  readonly root: Author
  readonly watch: Watch.Watch
  readonly space: () => SpaceId
  readonly found: (space: SpaceId) => void
  entries: () => number
  readonly mayFork: ReadonlySet<string>
}

const rootName = "recovery words"

const makeStage = (world: World.World, plan: Faults.Plan, story: Story.Story, options: Options): Stage => {
  const network = SimulatedNetwork.make(world)
  const keyring = options.keyring ?? Agents.makeKeyring()
  const people = Agents.make(world, network, {
    keyring,
    ...(options.verifier === undefined ? {} : { verifier: options.verifier })
  })
  let space: SpaceId | undefined
  const watch = Watch.make(world, () => space)
  const names = story.cast.map(({ name }) => name)
  const chance = world.chance("topology")
  const isDoubled = chance.happens(0.5)
  const peersOf = (name: string): ReadonlyArray<Devices.Peer> =>
    names
      .filter((other) => (isDoubled ? other !== name : other > name))
      .map((other) => ({ address: SimulatedNetwork.addressOf(other), device: people.deviceOf(other) }))
  const actors = new Map(
    plan.agents.map(({ diskLies, name, skewMillis }) => [
      name,
      people.install(name, Devices.program(peersOf, watch), { diskLies, skewMillis })
    ])
  )
  const rootKeys = keyring(rootName)
  return {
    world,
    network,
    people,
    actors,
    root: { device: rootKeys.device, sign: rootKeys.sign },
    watch,
    space: () => {
      if (space === undefined) throw new Error("the space is not founded")
      return space
    },
    found: (founded) => {
      space = founded
    },
    entries: () => 0,
    mayFork: new Set(plan.agents.filter(({ diskLies }) => diskLies).map(({ name }) => name))
  }
}

const actorOf = ({ actors }: Stage, name: string): Actor => {
  const actor = actors.get(name)
  if (actor === undefined) throw new Error(`nobody is called ${name}`)
  return actor
}

/** Founds the space and brings in whoever is invited from the start; then everybody goes to bed. */
const begin = Effect.fnUntraced(function* (stage: Stage, story: Story.Story, { before, gifts }: Hostility.Hostility) {
  const of = stage.people.deviceOf
  for (const actor of stage.actors.values()) yield* actor.start
  for (const { invitedBy, name, rights } of story.cast) {
    const actor = actorOf(stage, name)
    if (name === "Alice") {
      const replica = yield* actor.use(({ agent }) => agent.createSpace(stage.root.device, Notebook.app.definition))
      stage.found(replica.space)
      continue
    }
    if (invitedBy === undefined) continue
    yield* Incidents.join(actor, actorOf(stage, invitedBy), stage.space(), rights)
    const joined = story.cast.filter((one) => one.name === "Alice" || one.invitedBy !== undefined)
    const until = joined
      .slice(0, joined.findIndex((one) => one.name === name) + 1)
      .map((one) => actorOf(stage, one.name))
    if (!(yield* World.eventually(areAgreed(stage, until), { withinMillis: convergenceMillis })))
      return yield* Effect.die(new Error(`${name} never came to know the space`))
  }
  const present = story.cast.filter((one) => one.name === "Alice" || one.invitedBy !== undefined)
  const said = [
    ...gifts.map(({ by, lastsMillis, rights, to }) => ({ by, write: Incidents.gift(of(to), rights, lastsMillis) })),
    ...before.map(({ by, what, who }) => ({ by, write: Statements.write(of(by), what, of(who)) }))
  ]
  for (const { by, write } of said)
    yield* actorOf(stage, by).use(({ agent }) => agent.replica(stage.space())!.write(write))
  const all = present.map(({ name }) => actorOf(stage, name))
  if (!(yield* World.eventually(areAgreed(stage, all), { withinMillis: convergenceMillis })))
    return yield* Effect.die(new Error("what was said in the beginning never came to be known"))
  const knowledge =
    story.liar === undefined
      ? undefined
      : yield* actorOf(stage, story.liar).use(({ agent }) => Deceit.knowledgeOf(stage.space(), agent))
  for (const actor of stage.actors.values()) yield* actor.stop
  return knowledge
})

/** The safety phase, until everything is healed and everybody has an answer. */
const suffer = Effect.fnUntraced(function* (
  stage: Stage,
  plan: Faults.Plan,
  story: Story.Story,
  deeds: Array<Workload.Deed>,
  deceit: { readonly hostility: Hostility.Hostility; readonly knowledge: Voice.Knowledge } | undefined
) {
  const isOver = yield* Deferred.make<void>()
  const honest = story.cast.filter(({ name }) => name !== story.liar)
  const workers = yield* Effect.forEach(honest, (person) => Effect.forkChild(work(stage, person, deeds, isOver)))
  const { people, world } = stage
  const addresses = honest.map(({ name }) => SimulatedNetwork.addressOf(name))
  const lying =
    deceit === undefined
      ? Effect.void
      : Deceit.deceive(world, people, deceit.hostility, deceit.knowledge, addresses, Deferred.isDone(isOver))
  const liar = yield* Effect.forkChild(lying)
  const incidents = yield* Effect.forEach(story.incidents, ({ atMillis, incident }) =>
    Effect.forkChild(Effect.andThen(Effect.sleep(atMillis), happen(stage, story, incident, isOver)))
  )
  const victims = [...stage.actors.values()].filter(({ name }) => name !== story.liar)
  yield* Faults.carryOut(plan, stage.world, stage.network, victims)
  stage.world.trace("scenario", "the world is healed")
  yield* Deferred.succeed(isOver, undefined)
  yield* Fiber.joinAll([...workers, ...incidents, liar])
})

/** Attempts at one operation after the world is healed; more mean that it never gets an answer. */
const attemptsMax = 60

const work = Effect.fnUntraced(function* (
  stage: Stage,
  person: Story.Person,
  deeds: Array<Workload.Deed>,
  isOver: Deferred.Deferred<void>
) {
  const actor = actorOf(stage, person.name)
  const chance = stage.world.chance(`work/${person.name}`)
  for (let count = 0; !(yield* Deferred.isDone(isOver)); count++) {
    yield* Effect.sleep(chance.between(1, 2 * person.paceMillis))
    const seen = yield* Effect.option(actor.use(({ agent }) => Effect.sync(() => noteIds(agent, stage.space()))))
    if (seen._tag === "None" || seen.value === undefined) continue
    const [name, payload] = Workload.wish(chance, seen.value)
    const deed: Workload.Deed = {
      who: person.name,
      key: `${person.name}-${count}`,
      name,
      payload,
      outcome: "Open",
      result: undefined,
      isUnsure: false
    }
    deeds.push(deed)
    const asked = Workload.attempt(actor, stage.space(), deed)
    // the impatient press the button twice
    if (chance.happens(0.1)) yield* Effect.all([Effect.ignore(asked), Effect.ignore(asked)], { concurrency: 2 })
    for (let attempts = 0; deed.outcome === "Open" || chance.happens(0.1);) {
      if (yield* Deferred.isDone(isOver)) attempts++
      if (attempts > attemptsMax) break
      if (deed.outcome === "Open") yield* Effect.ignore(asked)
      else {
        yield* Effect.ignore(asked)
        break
      }
      if (deed.outcome === "Open") yield* Effect.sleep(chance.between(50, 2_000))
    }
    stage.world.trace(person.name, `${name} "${deed.key}": ${deed.outcome}`)
  }
})

const noteIds = (agent: Devices.Device["agent"], space: SpaceId): ReadonlyArray<string> | undefined => {
  const replica = agent.replica(space)
  if (replica?.ledger().authority === undefined) return undefined
  return [...Operations.state(replica, Notebook.app).notes.keys()].slice(0, 20)
}

/** Makes an incident happen as soon as it can; once the story is over it is tried a few times more. */
const happen = Effect.fnUntraced(function* (
  stage: Stage,
  story: Story.Story,
  incident: Story.Incident,
  isOver: Deferred.Deferred<void>
) {
  const once = attemptIncident(stage, story, incident)
  for (let attempts = 0; attempts < 5;) {
    if (yield* Deferred.isDone(isOver)) attempts++
    const exit = yield* Effect.exit(once)
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    const isDone = error === undefined || error instanceof Incidents.NothingToDo
    stage.world.trace(
      "scenario",
      `${Story.describeIncident(incident)}: ${error === undefined ? "done" : String(error)}`
    )
    if (isDone) return
    yield* Effect.sleep("1 second")
  }
})

const attemptIncident = (stage: Stage, story: Story.Story, incident: Story.Incident): Effect.Effect<void, unknown> => {
  const device = stage.people.deviceOf(incident.who)
  switch (incident._tag) {
    case "Join": {
      const rights = story.cast.find(({ name }) => name === incident.who)?.rights ?? []
      return Incidents.join(actorOf(stage, incident.who), actorOf(stage, incident.via), stage.space(), rights)
    }
    case "Revoke":
      return actorOf(stage, incident.by).use((by) =>
        Effect.gen(function* () {
          const replica = yield* Incidents.replicaOf(by, stage.space())
          yield* replica.write(Incidents.revocation(by.agent.device, device))
        })
      )
    case "Say":
      return actorOf(stage, incident.by).use((by) =>
        Effect.gen(function* () {
          const replica = yield* Incidents.replicaOf(by, stage.space())
          yield* replica.write(Statements.write(by.agent.device, incident.what, device))
        })
      )
    case "Recover": {
      return actorOf(stage, incident.at).use((at) =>
        Effect.gen(function* () {
          const replica = yield* Incidents.replicaOf(at, stage.space())
          yield* replica.write(Incidents.recovery(stage.root, device))
        })
      )
    }
  }
}

/** Looks in a row at which all have to agree: who has just joined, or is about to hear of it, agrees too soon. */
const agreementsMin = 4

/** Demands that everybody agrees, then asks the checkers. */
const conclude = Effect.fnUntraced(function* (stage: Stage, story: Story.Story, deeds: ReadonlyArray<Workload.Deed>) {
  const actors = [...stage.actors.values()].filter(({ name }) => name !== story.liar)
  let agreements = 0
  const isLasting = Effect.map(
    areAgreed(stage, actors),
    (isAgreed) => (agreements = isAgreed ? agreements + 1 : 0) >= agreementsMin
  )
  const converged = yield* World.eventually(isLasting, { withinMillis: convergenceMillis, everyMillis: 1_000 })
  // what could not be read back for a moment is read without anybody asking
  yield* Effect.sleep("25 seconds")
  // meanwhile something may have come from who was put out, and be ahead of a slow clock
  yield* World.eventually(areAgreed(stage, actors), { withinMillis: convergenceMillis, everyMillis: 1_000 })
  const evidence = (yield* Effect.forEach(actors, (actor) => evidenceOf(stage, actor))).flat()
  for (const { name, replica } of evidence) stage.watch.look(name, replica)
  stage.entries = () => Math.max(...evidence.map(({ records }) => records.data.length + records.authority.length))
  const mayFork = new Set([...stage.mayFork, ...(story.liar === undefined ? [] : [story.liar])])
  // a disk that lies may lose the whole space, and then there is nobody to ask
  const open = deeds.filter(({ outcome, who }) => outcome === "Open" && !stage.mayFork.has(who))
  const wrong = [
    ...(converged ? [] : [{ checker: "liveness", what: "the replicas do not converge" }]),
    ...open.map(({ key, name }) => ({ checker: "liveness", what: `${name} "${key}" never got an answer` })),
    ...stage.watch.violations(),
    ...Checkers.check({
      evidence,
      deeds,
      deviceOf: stage.people.deviceOf,
      mayFork: new Set([...mayFork].map(stage.people.deviceOf))
    })
  ]
  // last, for it writes
  return wrong.length > 0 ? wrong : yield* isAcknowledged(stage, actors)
})

/** Time within which everybody has said that they have it. */
const acknowledgementMillis = 5 * 60_000

/** In a space of friends who all agree, what one does is soon acknowledged by all. */
const isAcknowledged = Effect.fnUntraced(function* (stage: Stage, actors: ReadonlyArray<Actor>) {
  const [first] = actors
  const sides = yield* Effect.forEach(actors, (actor) =>
    actor.use(({ agent }) => Effect.sync(() => ({ device: agent.device, replica: agent.replica(stage.space()) })))
  )
  const isFriendly = sides.every(
    ({ replica }) => replica !== undefined && sides.every(({ device }) => Checkers.takes(replica, device))
  )
  if (first === undefined || !isFriendly || stage.actors.size !== actors.length) return []
  const everybody = first.use((device) =>
    Effect.gen(function* () {
      const replica = yield* Incidents.replicaOf(device, stage.space())
      const { perform } = yield* Operations.performer(
        { replica, device: first.device, store: device.store },
        Notebook.app
      )
      const { position } = yield* perform("count", { amount: 1 })
      if (position !== undefined) yield* device.agent.acknowledged(stage.space(), position, { _tag: "AllMembers" })
    })
  )
  const answer = yield* Effect.timeoutOption(everybody, acknowledgementMillis)
  return answer._tag === "Some" ? [] : [{ checker: "acknowledgement", what: `${first.name} waits for somebody's word` }]
})

const evidenceOf = (stage: Stage, actor: Actor): Effect.Effect<ReadonlyArray<Checkers.Evidence>, unknown> =>
  actor.use(({ agent, store }) =>
    Effect.gen(function* () {
      const replica = agent.replica(stage.space())
      if (replica === undefined) return []
      // an entry may come of age between its last look at the clock and ours
      if (Checkers.isHolding(replica)) yield* replica.refresh
      const records = yield* Records.read(store, stage.space())
      const nowMillis = World.beginUnixMillis + stage.world.now() + actor.skewMillis
      return [{ name: actor.name, device: agent.device, nowMillis, replica, records }]
    })
  )

/** Whether all who take each other for members have the same. */
const areAgreed = (stage: Stage, actors: ReadonlyArray<Actor>): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const replicas = (yield* Effect.forEach(actors, (actor) =>
      actor.use(({ agent }) => Effect.sync(() => ({ device: agent.device, replica: agent.replica(stage.space()) })))
    )).flatMap(({ device, replica }) => (replica === undefined ? [] : [{ device, replica }]))
    return Checkers.doAllAgree(replicas)
  }).pipe(Effect.orElseSucceed(() => false))
