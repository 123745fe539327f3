/**
 * A server whose database is away for half a minute, while two clients write all the time. It was killed, or the way to it is
 * silent: nothing is refused there and nothing comes back.
 *
 *     writes ────────✗ ✗ ✗ ✗ ✗ ✗ ✗ ✗ ✗────────        each asks again, with the same key, until it is answered
 *     database ──────┐    30 seconds   ┌──────
 *
 * Question: is it told at once and why, does nothing hang, and is all that was answered there once when it is over?
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { clusterOfFile } from "../handlers/clusterOfFile.ts"
import { addAt, aura, exampleApp, folder, json, serve, stop, stopAll } from "./aura.ts"

const awayMillis = 30_000
/** A write that is not answered by then would be said to hang; the client itself waits 10 seconds. */
const answerMillisMax = 15_000
const noticeMillisMax = 12_000

const cluster = clusterOfFile()
afterAll(stopAll)

/** A way to the database that can fall silent: what is sent meanwhile arrives when it speaks again. */
const wayTo = async (port: number) => {
  const sockets = new Set<Socket>()
  let isSilent = false
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1")
    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      sockets.add(from)
      if (isSilent) from.pause()
      from.on("data", (bytes) => to.write(bytes))
      from.on("error", () => to.destroy())
      from.on("close", () => {
        sockets.delete(from)
        to.destroy()
      })
    }
    if (isSilent) near.pause()
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const silence = (silent: boolean) => {
    isSilent = silent
    for (const socket of sockets)
      if (silent) socket.pause()
      else socket.resume()
  }
  return {
    port: (server.address() as AddressInfo).port,
    silence,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
}

interface Absence {
  readonly why: string
  readonly reason: (port: number) => RegExp
  /** Where the server asks for the database, and how that goes and comes back. */
  readonly begin: () => Promise<{
    readonly port: number
    readonly leave: () => Promise<void>
    readonly comeBack: () => Promise<void>
    readonly end: () => void
  }>
}

const absences: ReadonlyArray<Absence> = [
  {
    why: "that was killed",
    reason: (port) => new RegExp(`the database 127.0.0.1:${port}/postgres`, "u"),
    begin: async () => ({ port: cluster.port, leave: cluster.kill, comeBack: cluster.start, end: () => undefined })
  },
  {
    why: "that can't be reached",
    reason: () => /does not answer within 2 seconds|no answer/u,
    begin: async () => {
      const { close, port, silence } = await wayTo(cluster.port)
      return { port, leave: async () => silence(true), comeBack: async () => silence(false), end: close }
    }
  }
]

const titlesOf = async (data: string, env: Readonly<Record<string, string>>): Promise<ReadonlyArray<string>> => {
  const told = await aura(["state", "--data", data, "--json"], { env })
  const { tasks } = json(told)[0]!["state"] as { readonly tasks: Record<string, { readonly title: string }> }
  return Object.values(tasks).map(({ title }) => title)
}

describe.each(absences)(
  "a server without its database for thirty seconds, $why",
  { timeout: 120_000 },
  ({ begin, reason }) => {
    it("says so, answers nothing that it could lose, and goes on by itself", async () => {
      const { port, leave, comeBack, end } = await begin()
      const url = new URL(Redacted.value(cluster.url))
      url.port = `${port}`
      const env = { AURA_APP: exampleApp, AURA_JOURNAL__KIND: "postgres", DATABASE_URL: url.href }
      const data = join(folder(), "alice")
      const server = await serve(["--data", data, "--port", "0"], { env })
      const readyUrl = `${String(server.ready["management"])}/readyz`
      const until = async (status: number): Promise<string> => {
        const begun = performance.now()
        for (;;) {
          const answer = await fetch(readyUrl)
          const text = await answer.text()
          if (answer.status === status) return text
          assert.isBelow(performance.now() - begun, noticeMillisMax, `still ${answer.status}: ${text}`)
          await sleep(100)
        }
      }

      const acknowledged: Array<string> = []
      let isOver = false
      let [slowest, unanswered] = [0, 0]
      const client = async (name: string) => {
        for (let count = 0; !isOver; count++) {
          const title = `${name} ${count}`
          for (;;) {
            const begun = performance.now()
            const id = await addAt(data, title, title)
            slowest = Math.max(slowest, performance.now() - begun)
            if (id !== undefined) break
            unanswered++
            await sleep(50)
          }
          acknowledged.push(title)
          await sleep(20)
        }
      }
      const clients = Promise.all([client("one"), client("two")])
      while (acknowledged.length < 40) await sleep(20)

      await leave()
      const begun = performance.now()
      const red = JSON.parse(await until(503)) as {
        readonly checks: ReadonlyArray<{ readonly name: string; readonly ok: boolean; readonly reason: string }>
      }
      const bad = red.checks.filter(({ ok }) => !ok)
      assert.deepStrictEqual(
        bad.map(({ name }) => name),
        ["journal"]
      )
      assert.match(bad[0]!.reason, reason(port))
      const before = acknowledged.length
      const refused = await aura(
        ["perform", "add", '{"title":"meanwhile"}', "--timeout", "3", "--data", data, "--json"],
        { env }
      )
      assert.strictEqual(refused.code, 1)
      assert.match(refused.stdout, /unavailable|no answer|did not/u)
      const kept = await titlesOf(data, env)
      assert.includeMembers([...kept], acknowledged.slice(0, before), "what it has it goes on to show")
      while (performance.now() - begun < awayMillis) await sleep(100)
      assert.isAtMost(acknowledged.length - before, 2, "nothing is answered while it can't be kept")
      assert.strictEqual((await fetch(readyUrl)).status, 503)

      await comeBack()
      await until(200)
      const after = acknowledged.length
      while (acknowledged.length < after + 40) await sleep(20)
      isOver = true
      await clients
      assert.isAbove(unanswered, 0, "writes were tried meanwhile")
      assert.isBelow(slowest, answerMillisMax, "no write hung")
      const titles = await titlesOf(data, env)
      const own = titles.filter((title) => title !== "meanwhile")
      assert.deepStrictEqual(own.toSorted(), acknowledged.toSorted(), "everything once")
      assert.strictEqual((await stop(server)).code, 0)
      const verified = json(await aura(["journal", "verify", "--data", data, "--json"], { env }))[0]!
      assert.deepInclude(verified, { ok: true, forks: 0 })
      end()
    })
  }
)
