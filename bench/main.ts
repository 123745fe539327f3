/**
 * Asks every question of Aura and of its peers in one run and prints the answers side by side.
 *
 *     npm run bench -- [--json] [--only QUESTION]... [--peers] [--rounds N]
 *
 * Every figure is the median of N fresh processes (5 unless told), and the sides take turns, so that a busy moment of
 * the machine falls on all of them. `--json` prints one line per question; `--peers` measures the peers alone. Progress
 * goes to stderr. Exit code 1 when a figure of ours is missing.
 *
 * It computes no statistics beyond the median and the range, and asserts no speed: see README.md.
 */
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs"
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type { Question, Side } from "./question.ts"

const roundsDefault = 5
/** A run that takes longer has failed; the slowest honest one (Automerge, 20 000 changes) takes about 15 seconds. */
const runMillisMax = 180_000
/** Linux's number for a file system in memory, where nothing is durable. */
const tmpfsType = 0x01021994

interface Figures {
  readonly side: Side
  readonly peer: string
  readonly median: number | undefined
  readonly least: number
  readonly most: number
  readonly failed: string | undefined
}

interface Answer {
  readonly question: Question
  readonly ours: Figures | undefined
  readonly peers: ReadonlyArray<Figures>
}

const main = async (): Promise<void> => {
  const { values: options } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      peers: { type: "boolean", default: false },
      rounds: { type: "string", default: String(roundsDefault) }
    }
  })
  const rounds = Number(options.rounds)
  if (!Number.isSafeInteger(rounds) || rounds < 1) fail(`--rounds is a number from 1, not ${options.rounds}`)
  await install()
  const { questions } = await import("./questions.ts")
  const unknown = options.only.find((name) => !questions.some(({ question }) => question === name))
  if (unknown !== undefined) {
    fail(`no question is called ${unknown}; there are ${questions.map(({ question }) => question).join(", ")}`)
  }
  say(
    `${process.version}, ${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}`
  )
  const directory = mkdtempSync(join(tmpdir(), "aura-bench-"))
  if (statfsSync(directory).type === tmpfsType) say(`${tmpdir()} is memory: set TMPDIR to a disk for the durable rows`)
  process.once("SIGINT", () => {
    rmSync(directory, { recursive: true, force: true })
    process.exit(130)
  })
  try {
    for (const question of questions) {
      if (options.only.length > 0 && !options.only.includes(question.question)) continue
      const answer = await ask(question, { rounds, directory, withOurs: !options.peers })
      process.stdout.write(options.json ? `${JSON.stringify(lineOf(answer))}\n` : `${tableOf(answer)}\n`)
      if (answer.ours?.median === undefined && !options.peers) process.exitCode = 1
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const ask = async (
  question: Question,
  { rounds, directory, withOurs }: { readonly rounds: number; readonly directory: string; readonly withOurs: boolean }
): Promise<Answer> => {
  const sides = [question.ours, ...question.peers]
  const figures = sides.map((): Array<number> => [])
  const failed: Array<string | undefined> = sides.map(() => undefined)
  for (let round = 0; round < rounds; round++) {
    for (const [place, side] of sides.entries()) {
      const skipped = failed[place] !== undefined || round >= (side.roundsMax ?? rounds) || (place === 0 && !withOurs)
      if (skipped) continue
      try {
        const figure = await runOnce(question, place, side, directory)
        figures[place]!.push(figure)
        say(`${question.question} ${round + 1}/${rounds} ${side.peer}: ${readable(figure)} ${question.unit}`)
      } catch (error) {
        failed[place] = error instanceof Error ? error.message : String(error)
        say(`${question.question} ${side.peer}: ${failed[place]}`)
      }
    }
  }
  const [ours, ...peers] = sides.map((side, place): Figures => ({
    side,
    peer: named(side),
    median: failed[place] === undefined ? medianOf(figures[place]!) : undefined,
    least: Math.min(...figures[place]!),
    most: Math.max(...figures[place]!),
    failed: failed[place]
  }))
  return { question, ours: withOurs ? ours : undefined, peers }
}

const runOnce = async (question: Question, place: number, side: Side, root: string): Promise<number> => {
  const given = (act: string, directory: string) => child([act, question.question, String(place), directory])
  const own = join(root, "run")
  rmSync(own, { recursive: true, force: true })
  if (side.prepare === undefined) mkdirSync(own)
  else {
    const prepared = join(root, `prepared-${side.prepare.name}`)
    if (!existsSync(prepared)) {
      const filling = `${prepared}.part`
      rmSync(filling, { recursive: true, force: true })
      mkdirSync(filling)
      say(`preparing ${side.prepare.name}`)
      await given("fill", filling)
      cpSync(filling, prepared, { recursive: true })
      rmSync(filling, { recursive: true, force: true })
    }
    cpSync(prepared, own, { recursive: true })
  }
  const printed = await given("run", own)
  const figure = Number(printed.trim().split("\n").at(-1))
  if (!(figure > 0)) throw new Error(`printed no figure but "${printed.trim().slice(-80)}"`)
  return figure
}

/** Runs measure.ts and returns what it printed; its last line of stderr is the reason when it fails. */
const child = (given: ReadonlyArray<string>) =>
  new Promise<string>((resolve, reject) => {
    const script = join(import.meta.dirname, "measure.ts")
    const running = spawn(process.execPath, ["--no-warnings", "--expose-gc", script, ...given], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: runMillisMax,
      killSignal: "SIGKILL"
    })
    let printed = ""
    let complaint = ""
    running.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text))
    running.stderr.setEncoding("utf8").on("data", (text: string) => (complaint = (complaint + text).slice(-4_000)))
    running.once("error", reject)
    running.once("close", (code, signal) => {
      if (code === 0) resolve(printed)
      else if (signal !== null) reject(new Error(`stopped after ${runMillisMax / 1_000} s`))
      else reject(new Error(complaint.trim().split("\n").at(-1) ?? `exit code ${code}`))
    })
  })

/** Peers are installed on the first run, from the lock of this directory; npm writes the file asked for last. */
const install = async (): Promise<void> => {
  if (existsSync(join(import.meta.dirname, "node_modules", ".package-lock.json"))) return
  say("installing the peers (npm ci in bench/, about 260 MB)")
  await new Promise<void>((resolve, reject) => {
    const npm = spawn("npm ci --no-audit --no-fund", {
      cwd: import.meta.dirname,
      stdio: ["ignore", "ignore", "inherit"],
      shell: true
    })
    npm.once("error", reject)
    npm.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`npm ci in bench/ ended with ${code}`))))
  })
}

/** One line of JSON. `peer` is the best comparable one, `ratio` > 1 says that we are better; `all` has every side. */
const lineOf = ({ question, ours, peers }: Answer) => {
  const best = bestOf(question, peers)
  return {
    question: question.question,
    unit: question.unit,
    ours: rounded(ours?.median),
    theirs: rounded(best?.median),
    peer: best?.peer ?? null,
    ratio: ratioOf(question, ours, best),
    ...(question.goal === undefined ? {} : { goal: question.goal, toGoal: toGoal(question, ours) }),
    all: [...(ours === undefined ? [] : [ours]), ...peers].map((figures) => ({
      peer: figures.peer,
      figure: rounded(figures.median),
      ratio: figures === ours ? null : ratioOf(question, ours, figures),
      verifies: figures.side.verifies,
      ...(figures.side.unlike === undefined ? {} : { unlike: figures.side.unlike }),
      ...(figures.failed === undefined ? {} : { failed: figures.failed })
    }))
  }
}

const tableOf = ({ question, ours, peers }: Answer): string => {
  const best = bestOf(question, peers)
  const rows = [...(ours === undefined ? [] : [ours]), ...peers].map((figures) => {
    const range = figures.median === undefined ? "" : `${readable(figures.least)}..${readable(figures.most)}`
    const ratio = figures === ours ? null : ratioOf(question, ours, figures)
    const notes = [
      figures.failed === undefined ? "" : `failed: ${figures.failed}`,
      figures.side.unlike === undefined ? "" : `not compared: ${figures.side.unlike}`,
      `verifies: ${figures.side.verifies}`
    ]
    return [
      figures === best ? ">" : " ",
      figures.peer.padEnd(52),
      (figures.median === undefined ? "-" : readable(figures.median)).padStart(9),
      range.padEnd(19),
      (ratio === null ? "" : `${ratio} x`).padStart(8),
      notes.filter((note) => note !== "").join("; ")
    ].join(" ")
  })
  const goal = question.goal === undefined ? "" : `; goal ${question.goal}, ours ${toGoal(question, ours) ?? "-"} x`
  return [`${question.question} (${question.unit}, ${question.better} is better${goal})`, ...rows, ""].join("\n")
}

const bestOf = ({ better }: Question, peers: ReadonlyArray<Figures>): Figures | undefined =>
  peers
    .filter(({ median, side }) => median !== undefined && side.unlike === undefined)
    .toSorted((a, b) => (better === "higher" ? b.median! - a.median! : a.median! - b.median!))[0]

const ratioOf = (question: Question, ours: Figures | undefined, theirs: Figures | undefined): number | null =>
  ratio(question, ours?.median, theirs?.median)

/** > 1 where the goal is more than reached. */
const toGoal = (question: Question, ours: Figures | undefined): number | null =>
  ratio(question, ours?.median, question.goal)

const ratio = ({ better }: Question, ours: number | undefined, theirs: number | undefined): number | null => {
  if (ours === undefined || theirs === undefined) return null
  return Number((better === "higher" ? ours / theirs : theirs / ours).toPrecision(3))
}

const named = (side: Side): string => {
  const pinned: { readonly dependencies: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(join(import.meta.dirname, "package.json"), "utf8")
  )
  const version = pinned.dependencies[side.package]
  return version === undefined ? side.peer : `${side.peer} (${side.package.split("/").at(-1)} ${version})`
}

const medianOf = (figures: ReadonlyArray<number>): number | undefined => {
  const sorted = figures.toSorted((a, b) => a - b)
  const upper = sorted[sorted.length >> 1]
  const lower = sorted[(sorted.length - 1) >> 1]
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2
}

const rounded = (figure: number | undefined): number | null =>
  figure === undefined ? null : Number(figure.toPrecision(4))

const readable = (figure: number): string =>
  figure >= 1_000 ? String(Math.round(figure)) : String(Number(figure.toPrecision(3)))

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const fail = (line: string): never => {
  say(line)
  process.exit(2)
}

await main()
