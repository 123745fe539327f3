/**
 * The clocks: the same few lines time Aura and every peer.
 *
 * Before a clock starts, garbage is collected and everything the step needs is loaded. Every one of the 20 000 values
 * is read and compared, inside the clock where the question is how soon state is readable: a side that decodes lazily
 * or skips work gains nothing.
 */
import { readdirSync, statSync } from "node:fs"
import { request } from "node:http"
import { createServer } from "node:net"
import { join } from "node:path"
import { spawn } from "node:child_process"
import { deflateRawSync } from "node:zlib"
import type { Pair, RecordedPair, Replica, Server, Store, Writer, WritableStore } from "./question.ts"
import { batches, entriesCount, writes } from "./workload.ts"

/** A server that is not ready by then has failed. */
const readyMillisMax = 30_000
/** Pause between two questions whether the server is ready; the figure is no finer than this. */
const pollMillis = 4

/** What is measured by how often it happens: how long it is done before, how long while, and between two looks at the clock. */
const warmMillis = 500
const measuredMillis = 1_000
const actsPerLook = 16

/** Entries acknowledged per second, 64 in flight. */
export const appendPerSecond = async (open: () => Writer | Promise<Writer>): Promise<number> => {
  const writer = await open()
  const seconds = await secondsOf(async () => {
    for (const batch of batches) await writer.append(batch)
  })
  expectAll(writer)
  await writer.close()
  return entriesCount / seconds
}

/** Entries per second from the fresh replica's first message until every value was read. */
export const catchUpPerSecond = async (make: () => Promise<Pair>): Promise<number> => {
  const pair = await make()
  let fresh: Replica | undefined
  const seconds = await secondsOf(async () => {
    fresh = await pair.catchUp()
    expectAll(fresh)
  })
  await fresh?.close()
  await pair.close()
  return entriesCount / seconds
}

/** Milliseconds from a closed store until every value was read. */
export const openMillis = async (store: Store, directory: string): Promise<number> => {
  let replica: Replica | undefined
  const seconds = await secondsOf(async () => {
    replica = await store.open(directory)
    expectAll(replica)
  })
  await replica?.close()
  return seconds * 1_000
}

/** Megabytes the process grew by opening the store and keeping its state, garbage collected on both sides. */
export const keptMegabytes = async (store: Store, directory: string): Promise<number> => {
  collect()
  const before = process.memoryUsage.rss()
  const replica = await store.open(directory)
  expectAll(replica)
  collect()
  const after = process.memoryUsage.rss()
  await replica.close()
  return (after - before) / 1e6
}

/** Bytes of all files under the directory, by length, per entry. */
export const bytesPerEntryOf = (directory: string): number =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((file) => statSync(join(directory, file)))
    .filter((file) => file.isFile())
    .reduce((bytes, file) => bytes + file.size, 0) / entriesCount

/** Payload bytes of both directions per entry; deflated as one stream, so that many small messages are no handicap. */
export const wireBytesPerEntry = async (make: () => Promise<RecordedPair>, deflate: boolean): Promise<number> => {
  const pair = await make()
  const fresh = await pair.catchUp()
  expectAll(fresh)
  const bytes = Buffer.concat(pair.messages())
  await fresh.close()
  await pair.close()
  return (deflate ? deflateRawSync(bytes, { level: 1 }) : bytes).length / entriesCount
}

/** Milliseconds from the start of the process to its first 200; then it is ended, by default at once. */
export const readyMillis = async (
  serve: (port: number) => Server,
  end: "SIGKILL" | "SIGINT" = "SIGKILL"
): Promise<number> => {
  const server = serve(await freePort())
  const begin = performance.now()
  const child = spawn(server.command, server.arguments, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...server.environment }
  })
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  try {
    while (!(await answers(server.ready))) {
      if (child.exitCode !== null) throw new Error(`the server exited with ${child.exitCode} before it was ready`)
      if (performance.now() - begin > readyMillisMax) throw new Error(`not ready after ${readyMillisMax} ms`)
      await new Promise((resolve) => setTimeout(resolve, pollMillis))
    }
    return performance.now() - begin
  } finally {
    child.kill(end)
    await exited
  }
}

/** The same of a second start, where the first was ready and was then asked to end. */
export const readyAgainMillis = async (serve: (port: number) => Server): Promise<number> => {
  await readyMillis(serve, "SIGINT")
  return readyMillis(serve)
}

/** Fills an empty directory through the store's own acknowledged writes. */
export const fillBy =
  (open: WritableStore["open"]) =>
  async (directory: string): Promise<void> => {
    const writer = await open(directory)
    for (const batch of batches) await writer.append(batch)
    await writer.close()
  }

/** How often a second an act happens once it is warm. */
export const perSecond = (act: () => void): number => {
  const timesWithin = (millis: number): number => {
    const begin = performance.now()
    let times = 0
    for (let now = begin; ;) {
      for (let i = 0; i < actsPerLook; i++) act()
      times += actsPerLook
      now = performance.now()
      if (now - begin >= millis) return (times * 1_000) / (now - begin)
    }
  }
  timesWithin(warmMillis)
  collect()
  return timesWithin(measuredMillis)
}

/** Milliseconds of one step that happens for the first time. */
export const millisOf = (step: () => void): number => {
  collect()
  const begin = performance.now()
  step()
  return performance.now() - begin
}

/** The sample that this share of all samples does not exceed. */
export const percentileOf = (samples: ReadonlyArray<number>, share: number): number =>
  samples.toSorted((a, b) => a - b)[Math.ceil(samples.length * share) - 1]!

export const secondsOf = async (step: () => Promise<void>): Promise<number> => {
  collect()
  const begin = performance.now()
  await step()
  return (performance.now() - begin) / 1_000
}

const collect = (): void => globalThis.gc?.()

const expectAll = (replica: Replica): void => {
  if (replica.size() !== entriesCount) throw new Error(`${replica.size()} keys are readable, not ${entriesCount}`)
  const wrong = writes.find(({ key, value }) => replica.read(key) !== value)
  if (wrong !== undefined) throw new Error(`${wrong.key} reads ${replica.read(wrong.key)}, written was ${wrong.value}`)
}

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })

const answers = (url: string) =>
  new Promise<boolean>((resolve) => {
    const asked = request(url, { agent: false, timeout: 1_000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.once("timeout", () => asked.destroy())
    asked.once("error", () => resolve(false))
    asked.end()
  })
