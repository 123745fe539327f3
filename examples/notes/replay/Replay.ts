/**
 * Plays a recorded trace with real devices: one agent with a store of its own for each author (or branch of an author),
 * a server that they meet at, and nothing between them that the trace does not say.
 *
 * A transaction is typed on a device that holds exactly what its parents saw. What an author typed alone goes to the
 * server at every cut (Plan.ts) and before he sees something new: so a signature stands there, and the server can give
 * the others that much and no more. In the end everybody meets until all have all, the text is compared on each device,
 * everything is closed, opened again from the disk, compared again, and every chain and signature is checked.
 */
import { Schema } from "aura"
import * as Effect from "effect/Effect"
import { readdir, stat } from "node:fs/promises"
import * as path from "node:path"
import { insertLengthMax, patchesMax, PositionOutside } from "../app.ts"
import * as Author from "./Author.ts"
import * as CodePoints from "./CodePoints.ts"
import * as Command from "./Command.ts"
import * as Plan from "./Plan.ts"
import * as Rehearsal from "./Rehearsal.ts"
import type { Patch, Trace, Transaction } from "./Trace.ts"

export interface Options {
  /** Where the stores are made: a directory each. It is there and empty. */
  readonly directory: string
  /** Transactions that one entry of the journal may hold, where nobody stands between them. */
  readonly transactionsPerEntry: number
  readonly progress: Progress
}

export interface Progress {
  /** What is being done now. */
  readonly doing: (what: string) => void
  readonly typed: (transactions: number) => void
}

export interface Summary {
  readonly form: Trace["form"]
  readonly transactions: number
  readonly devices: ReadonlyArray<{ readonly author: number; readonly directory: string; readonly feed: string }>
  readonly meetings: number
  readonly entries: number
  readonly bytesOnDisk: number
  readonly millis: {
    readonly prepare: number
    readonly type: number
    readonly restart: number
    readonly verify: number
  }
}

/** A text is not the recorded one. */
export class TextDiffers extends Schema.TaggedError<TextDiffers>()("TextDiffers", {
  where: Schema.String,
  at: Schema.Finite,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message(): string {
    const { at, expected, found, where } = this
    return `${where}: from code unit ${at} on the text is ${JSON.stringify(found)}, recorded is ${JSON.stringify(expected)}`
  }
}

/** The trace edits where there is no text: one of the transactions that were to become an entry. */
export class PatchImpossible extends Schema.TaggedError<PatchImpossible>()("PatchImpossible", {
  first: Schema.Finite,
  last: Schema.Finite,
  what: Schema.String
}) {
  override get message(): string {
    const { first, last, what } = this
    const where = first === last ? `txns[${first}]` : `txns[${first}] to txns[${last}]`
    return `${where}: ${what}; allowed: positions in the text as the parents left it`
  }
}

/** A device in its part. */
interface Player {
  readonly author: Author.Author
  readonly transactions: ReadonlyArray<number>
  readonly codePoints: { index: CodePoints.CodePoints }
  /** Its last entry after so many of its transactions, where others may stand on that. */
  readonly ends: Map<number, Author.Position>
  last: Author.Position
  /** How many of its transactions it has made, and how many the server has. */
  made: number
  given: number
  /** Its last step ended where others stand. */
  isAtCut: boolean
}

export const replay = Effect.fn("replay")(function* (trace: Trace, options: Options) {
  const { directory, progress } = options
  const plan = Plan.make(trace)
  const clock = stopwatch()
  progress.doing("rehearsing")
  const order = Rehearsal.order(trace, plan)
  const typed = yield* Effect.scoped(play(trace, plan, order, options, clock))
  const type = clock()
  const directories = [path.join(directory, serverName), ...typed.devices.map((device) => device.directory)]
  progress.doing("restarting everything")
  for (const one of directories) {
    const text = yield* Effect.scoped(Effect.map(Author.open(one), (author) => author.text()))
    yield* expectText(`${one}, after the restart`, trace.end, text)
  }
  const restart = clock()
  progress.doing("checking every chain and signature")
  const verified = yield* Effect.forEach(directories, Command.verify, { concurrency: 2 })
  const summary: Summary = {
    form: trace.form,
    transactions: trace.transactions.length,
    devices: typed.devices,
    meetings: typed.meetings,
    entries: verified[0]?.entries ?? 0,
    bytesOnDisk: yield* Effect.promise(() => bytesIn(directory)),
    millis: { prepare: typed.prepareMillis, type, restart, verify: clock() }
  }
  return summary
})

const serverName = "server"

/** Milliseconds since it was made or last read. */
const stopwatch = (): (() => number) => {
  let before = performance.now()
  return () => {
    const now = performance.now()
    const millis = Math.round(now - before)
    before = now
    return millis
  }
}

const play = Effect.fnUntraced(function* (
  trace: Trace,
  plan: Plan.Plan,
  order: Rehearsal.Order,
  options: Options,
  clock: () => number
) {
  const { directory, progress } = options
  progress.doing("starting the server")
  const server = yield* Command.serve(path.join(directory, serverName))
  progress.doing(`pairing ${plan.devices.length} devices`)
  const players = yield* cast(plan, order, server, directory)
  const prepareMillis = clock()
  progress.doing("typing")
  const meet = meetings(server, players, trace)
  for (const step of plan.steps) {
    const player = players[step.device]!
    for (const [other, count] of step.needs ?? []) {
      if (other !== step.device && players[other]!.given < count) yield* meet.with(players[other]!, new Map())
    }
    if (step.needs !== undefined || player.isAtCut) yield* meet.with(player, step.needs ?? new Map())
    yield* typeStep(trace, player, step, options)
  }
  progress.doing("bringing everybody together")
  const all = new Map(players.map((player, device) => [device, player.transactions.length]))
  for (const player of players) yield* meet.with(player, new Map())
  for (const player of players) yield* meet.with(player, all)
  for (const { author } of players) yield* expectText(author.directory, trace.end, author.text())
  return {
    prepareMillis,
    meetings: meet.count(),
    devices: players.map(({ author, last }, device) => ({
      author: plan.devices[device]!.author,
      directory: author.directory,
      feed: last.feed as string
    }))
  }
})

/** Opens as many devices as the plan has, and gives the parts out so that feeds rise in the order that was found. */
const cast = Effect.fnUntraced(function* (
  { devices }: Plan.Plan,
  order: Rehearsal.Order,
  server: Command.Server,
  directory: string
) {
  const codes = yield* Effect.forEach(devices, () => server.pair, { concurrency: 2 })
  const opened: Array<{ readonly author: Author.Author; readonly last: Author.Position }> = []
  for (const [number, code] of codes.entries()) {
    const author = yield* Author.open(path.join(directory, `device-${number + 1}`), code)
    // an edit that says nothing: now its feed has a name
    opened.push({ author, last: yield* author.type([{ at: 0, remove: 0, insert: "" }]) })
  }
  opened.sort((a, b) => (a.last.feed < b.last.feed ? -1 : 1))
  return devices.map(({ transactions }, device): Player => {
    const { author, last } = opened[order.indexOf(device)]!
    return {
      author,
      transactions,
      codePoints: { index: CodePoints.of("") },
      ends: new Map(),
      last,
      made: 0,
      given: 0,
      isAtCut: false
    }
  })
})

const meetings = (server: Command.Server, players: ReadonlyArray<Player>, trace: Trace) => {
  const countsAlike = !trace.transactions.some(({ patches }) =>
    patches.some(({ insert }) => CodePoints.hasAstral(insert))
  )
  let count = 0
  return {
    count: () => count,
    /** The player gives what it typed and takes so many transactions of the others. */
    with: Effect.fnUntraced(function* (player: Player, wanted: Plan.Past) {
      const others: Array<Author.Position> = []
      for (const [other, transactions] of wanted) {
        const end = players[other]!.ends.get(transactions)
        if (players[other] !== player && end !== undefined) others.push(end)
      }
      yield* player.author.meet(server, player.last, others)
      count++
      player.given = player.made
      player.isAtCut = false
      if (others.length > 0 && !countsAlike) player.codePoints.index = CodePoints.of(player.author.text())
    })
  }
}

const typeStep = Effect.fnUntraced(function* (
  trace: Trace,
  player: Player,
  { from, isCut, to }: Plan.Step,
  { progress, transactionsPerEntry }: Options
) {
  for (let at = from; at < to; at += transactionsPerEntry) {
    const numbers = player.transactions.slice(at, Math.min(at + transactionsPerEntry, to))
    const patches = numbers.flatMap((number) => unitsOf(trace.transactions[number]!, player))
    for (let first = 0; first < patches.length; first += patchesMax) {
      player.last = yield* Effect.mapError(player.author.type(patches.slice(first, first + patchesMax)), (error) =>
        error instanceof PositionOutside
          ? new PatchImpossible({
              first: numbers[0]! - trace.added,
              last: numbers.at(-1)! - trace.added,
              what: error.message
            })
          : error
      )
    }
    progress.typed(numbers.length)
  }
  player.made = to
  player.isAtCut = isCut
  if (isCut || to === player.transactions.length) player.ends.set(to, player.last)
})

/** What is typed, in code units, a long insertion in pieces that an edit can hold. */
const unitsOf = ({ patches }: Transaction, { codePoints }: Player): ReadonlyArray<Patch> => {
  const all: Array<Patch> = []
  for (const patch of patches) {
    if (patch.remove === 0 && patch.insert === "") continue
    const { at, insert, remove } = CodePoints.toUnits(codePoints.index, patch)
    for (let from = 0; from === 0 || from < insert.length;) {
      const to = endOfPiece(insert, from)
      all.push({ at: at + from, remove: from === 0 ? remove : 0, insert: insert.slice(from, to) })
      if (to === from) break
      from = to
    }
  }
  return all
}

/** Never between the halves of a surrogate pair. */
const endOfPiece = (text: string, from: number): number => {
  const to = Math.min(from + insertLengthMax, text.length)
  return to < text.length && text.codePointAt(to - 1)! > 0xffff ? to - 1 : to
}

/** Characters shown around a difference. */
const shownBefore = 20
const shownAfter = 40

const expectText = (where: string, expected: string, found: string): Effect.Effect<void, TextDiffers> => {
  if (found === expected) return Effect.void
  let at = 0
  while (expected[at] === found[at]) at++
  const around = (text: string): string => text.slice(Math.max(0, at - shownBefore), at + shownAfter)
  return Effect.fail(new TextDiffers({ where, at, expected: around(expected), found: around(found) }))
}

const bytesIn = async (directory: string): Promise<number> => {
  let bytes = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(path.join(entry.parentPath, entry.name))).size
  }
  return bytes
}
