/**
 * The command tree: names, arguments, flags and help of everything `aura` does. What it does is loaded when it is asked
 * for, so `aura --help` loads none of it.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ArchiveCommands from "./ArchiveCommands.ts"
import * as AuthorityCommands from "./AuthorityCommands.ts"
import type * as Config from "./config.ts"
import type { Errand } from "./Errand.ts"
import type { Output } from "./Output.ts"
import { globals, globalFlags, run, simply, switchFlag, text, timeout } from "./Globals.ts"
import type * as Problem from "./Problem.ts"
import type * as Settings from "./Settings.ts"

/** The whole tree; what it prints goes to `output`. */
export const make = (output: Output) =>
  Command.make("aura").pipe(
    Command.withDescription(
      "Local-first applications with a signed journal and a web of trust. Commands let a running server (aura serve) do the work when it has the data directory open."
    ),
    Command.withSubcommands([
      serve(output),
      pair(output),
      join(output),
      sync(output),
      status(output),
      perform(output),
      state(output),
      journal(output),
      device(output),
      AuthorityCommands.grant(output),
      AuthorityCommands.revoke(output),
      AuthorityCommands.limit(output),
      AuthorityCommands.lift(output),
      AuthorityCommands.trust(output),
      AuthorityCommands.policy(output),
      AuthorityCommands.explain(output),
      AuthorityCommands.feed(output),
      space(output),
      ArchiveCommands.backup(output),
      ArchiveCommands.restore(output),
      config(output),
      doctor(output),
      simulate(output)
    ]),
    Command.withGlobalFlags(globalFlags)
  )

const serve = (output: Output) =>
  Command.make(
    "serve",
    {
      app: Argument.String("app").pipe(
        Argument.optional,
        Argument.withDescription("The application's file; default from aura.toml")
      ),
      host: text("host", "Where to listen (default 127.0.0.1, this machine alone; 0.0.0.0 is everywhere)"),
      port: text("port", "TLS port (default 8443; 0 takes a free one)"),
      http: text("http", "Plain port for browsers on this machine (default 8080; 0 takes a free one)"),
      advertise: text("advertise", "Names or addresses under which others reach this device, joined by commas"),
      showWords: switchFlag("show-words", "Show the recovery words even when stderr is no terminal")
    },
    Effect.fnUntraced(function* ({ advertise, app, host, http, port, showWords }) {
      const flags = yield* globals
      const { serve } = yield* Effect.promise(() => import("./serve.ts"))
      const { line } = yield* Effect.promise(() => import("./CommandLine.ts"))
      yield* serve(
        {
          ...flags,
          app: Option.getOrUndefined(app) ?? flags.app,
          "listen.host": Option.getOrUndefined(host),
          "listen.port": Option.getOrUndefined(port),
          "listen.http": Option.getOrUndefined(http),
          "listen.advertise": Option.getOrUndefined(advertise)
        },
        output,
        { showWords, command: (words) => line(words, flags.data) }
      )
    })
  ).pipe(
    Command.withDescription(
      "Run this device for others: listen, sync, do what other commands ask. Founds a space at first."
    )
  )

const pair = (output: Output) =>
  Command.make(
    "pair",
    {
      role: AuthorityCommands.roleFlag,
      can: Flag.String("can").pipe(
        Flag.atLeast(0),
        Flag.withDescription("A capability the new device gets; repeat for several (default *, everything)")
      ),
      depth: Flag.Int("depth").pipe(
        Flag.optional,
        Flag.withDescription("How often it may be passed on, at most (default: as the role says, else 1)")
      ),
      until: AuthorityCommands.untilFlag,
      name: text("for", "For whom the code is: shown with it"),
      address: text("address", "The address to put in the code, when others reach this device elsewhere"),
      qr: switchFlag("qr", "Show the QR code even when stderr is no terminal")
    },
    Effect.fnUntraced(function* ({ address, can, depth, name, qr, role, until }) {
      const flags = yield* globals
      const { errand } = yield* run
      const { renderAround } = yield* Effect.promise(() => import("./pair.ts"))
      const wanted: Errand = {
        _tag: "Pair",
        role: Option.getOrNull(role),
        can: can.length === 0 && Option.isNone(role) ? ["*"] : can,
        depth: Option.getOrNull(depth),
        until: Option.getOrNull(until),
        name: Option.getOrNull(name),
        address: Option.getOrNull(address)
      }
      const withQr = process.stderr.isTTY === true || qr
      yield* errand(flags, output, wanted, (data) =>
        Effect.map(
          Effect.promise(() => renderAround(data, flags.data, withQr)),
          output.note
        )
      )
    })
  ).pipe(Command.withDescription("Make a code by which one more device joins. Needs a running server (aura serve)."))

const join = (output: Output) =>
  Command.make(
    "join",
    {
      code: Argument.String("code").pipe(
        Argument.optional,
        Argument.withDescription('The line that "aura pair" printed; - or nothing reads it from stdin')
      ),
      name: text("name", "What others see this device as (default: the host's name)"),
      timeout: timeout(60)
    },
    Effect.fnUntraced(function* ({ code, name, timeout }) {
      const flags = yield* globals
      const { errand, secretOf } = yield* run
      const { check } = yield* Effect.promise(() => import("./join.ts"))
      const given = Option.getOrElse(code, () => "-")
      const secret = secretOf(given === "-" ? yield* answer("pairing code: ") : given, "pairing code")
      const problem = check(secret)
      if (problem !== undefined) return yield* problem
      yield* errand(flags, output, {
        _tag: "Join",
        code: secret,
        name: Option.getOrNull(name),
        timeoutSeconds: timeout
      })
    })
  ).pipe(Command.withDescription("Join a space with a code, fetch it, and remember where it came from."))

const sync = (output: Output) =>
  Command.make(
    "sync",
    {
      from: text("from", "An address to sync with, instead of the known devices"),
      watch: switchFlag("watch", "Stay connected until stopped"),
      timeout: timeout(60)
    },
    ({ from, timeout, watch }) =>
      simply(output, { _tag: "Sync", from: Option.getOrNull(from), watch, timeoutSeconds: timeout })
  ).pipe(Command.withDescription("Meet the known devices, give and take until neither lacks anything."))

const status = (output: Output) =>
  Command.make("status", {}, () => simply(output, { _tag: "Status" })).pipe(
    Command.withDescription("This device, its spaces, who is connected, what is not applied.")
  )

const perform = (output: Output) =>
  Command.make(
    "perform",
    {
      operation: Argument.String("operation").pipe(Argument.withDescription("Its name in the application, e.g. add")),
      payload: Argument.String("json").pipe(
        Argument.withDefault("{}"),
        Argument.withDescription(
          'What it takes, as JSON (default {}; - reads it from stdin), e.g. \'{"title":"milk"}\''
        )
      ),
      key: text("key", "Idempotency key: the operation runs once however often it is asked for within a day"),
      wait: Flag.Literals("wait", ["durable", "acknowledged", "everywhere"]).pipe(
        Flag.withDefault("durable"),
        Flag.withDescription("Until it is durable here (default), at one other device, at every member")
      ),
      timeout: timeout(30)
    },
    Effect.fnUntraced(function* ({ key, operation, payload, timeout, wait }) {
      const { jsonOf } = yield* Effect.promise(() => import("./Input.ts"))
      const value = yield* jsonOf(payload === "-" ? yield* answer("payload: ") : payload, "payload")
      yield* simply(output, {
        _tag: "Perform",
        operation,
        payload: value,
        key: Option.getOrNull(key),
        wait,
        timeoutSeconds: timeout
      })
    })
  ).pipe(Command.withDescription("Perform an operation of the application. Works offline."))

const state = (output: Output) =>
  Command.make("state", {}, () => simply(output, { _tag: "State" })).pipe(
    Command.withDescription(
      "Print what the application sees, as JSON. Works offline and without the application's code."
    )
  )

const journal = (output: Output) =>
  Command.make("journal").pipe(
    Command.withDescription("Look into the journal, move it, prune it: log, verify, export, import, prune."),
    Command.withSubcommands([
      Command.make(
        "log",
        {
          limit: Flag.Int("limit").pipe(Flag.withDefault(50), Flag.withDescription("The newest so many (default 50)")),
          device: text("device", "Only what this device wrote: its name, its id, or the beginning of the id"),
          type: text("type", "Only entries that say this: tasks.add, or tasks.* for all that begin so"),
          since: text("since", "Only what was written from then on: 2027-01-31, 2027-01-31T18:00Z, or 12h (ago)"),
          until: text("until", "Only what was written before then")
        },
        ({ device, limit, since, type, until }) =>
          simply(output, {
            _tag: "JournalLog",
            limit,
            device: Option.getOrNull(device),
            type: Option.getOrNull(type),
            since: Option.getOrNull(since),
            until: Option.getOrNull(until)
          })
      ).pipe(Command.withDescription("The newest entries: when, who, what, and what became of them.")),
      ArchiveCommands.exportJournal(output),
      ArchiveCommands.importJournal(output),
      Command.make("verify", {}, () => simply(output, { _tag: "JournalVerify" })).pipe(
        Command.withDescription("Read everything stored back and check every chain and signature.")
      ),
      Command.make("prune", {}, () => simply(output, { _tag: "JournalPrune" })).pipe(
        Command.withDescription(
          "Drop what the space's newest seal covers: the sealed state stands for it. Not to be undone here; others keep theirs."
        )
      )
    ])
  )

const device = (output: Output) =>
  Command.make("device").pipe(
    Command.withDescription("The devices of the space: list, revoke."),
    Command.withSubcommands([
      Command.make("list", {}, () => simply(output, { _tag: "DeviceList" })).pipe(
        Command.withDescription("Who is in the space, with which role, rights and trust, and who was revoked by whom.")
      ),
      Command.make(
        "revoke",
        {
          device: AuthorityCommands.deviceArgument,
          reason: AuthorityCommands.reasonFlag,
          whatIf: AuthorityCommands.whatIfFlag
        },
        ({ device, reason, whatIf }) => AuthorityCommands.govern(output, { _tag: "Revoke", device, reason }, whatIf)
      ).pipe(
        Command.withDescription(
          "Put a device out for good. What is known of it here stays; later entries count nowhere. To take back only what it was granted: aura revoke."
        )
      )
    ])
  )

const space = (output: Output) =>
  Command.make("space").pipe(
    Command.withDescription("The space itself: recovery words, recovery, seals."),
    Command.withSubcommands([
      Command.make("words", {}, () => simply(output, { _tag: "SpaceWords" })).pipe(
        Command.withDescription("Show the recovery words again, as long as they are not confirmed.")
      ),
      Command.make("confirm", {}, () =>
        Effect.gen(function* () {
          const flags = yield* globals
          const { confirm } = yield* Effect.promise(() => import("./interview.ts"))
          yield* confirm(flags, output)
        })
      ).pipe(Command.withDescription("Type three of the recovery words back; then the root key is deleted here.")),
      Command.make(
        "recover",
        {
          revoke: text("revoke", "The stolen device to put out: name, id, or the beginning of the id"),
          cut: text(
            "cut",
            "What of it is kept: start (nothing), now (all), FEED:SEQ (up to it); default: up to its first attack"
          ),
          yes: switchFlag("yes", "Do not ask before it is written")
        },
        Effect.fnUntraced(function* ({ cut, revoke, yes }) {
          const flags = yield* globals
          const { recover } = yield* Effect.promise(() => import("./interview.ts"))
          yield* recover(flags, output, { revoke: Option.getOrNull(revoke), cut: Option.getOrNull(cut), yes })
        })
      ).pipe(
        Command.withDescription(
          "With the recovery words (asked for, or from stdin): put a stolen device out and bring back whom it put out."
        )
      ),
      Command.make(
        "seal",
        { yes: switchFlag("yes", "Do not ask before it is written") },
        Effect.fnUntraced(function* ({ yes }) {
          const flags = yield* globals
          const { seal } = yield* Effect.promise(() => import("./interview.ts"))
          yield* seal(flags, output, { yes })
        })
      ).pipe(
        Command.withDescription(
          "With the recovery words: seal what counts now, so that it stays whatever comes, opens fast and may be dropped."
        )
      )
    ])
  )

const config = (output: Output) =>
  Command.make("config").pipe(
    Command.withDescription("The settings: check, show, schema, init."),
    Command.withSubcommands([
      Command.make("check", {}, () => configured(({ check }, flags) => check(flags, output))).pipe(
        Command.withDescription("Say all that is wrong with the settings, each with its source; ends with 1 then.")
      ),
      Command.make("show", {}, () => configured(({ show }, flags) => show(flags, output))).pipe(
        Command.withDescription("Every setting as it counts, and where it comes from; secrets are hidden.")
      ),
      Command.make("schema", {}, () => configured(({ schema }) => schema(output))).pipe(
        Command.withDescription("The JSON Schema of aura.toml, for editors.")
      ),
      Command.make(
        "init",
        {
          file: Argument.String("file").pipe(
            Argument.withDefault("aura.toml"),
            Argument.withDescription("Where to write it (default ./aura.toml); a file that exists is not touched")
          )
        },
        ({ file }) => configured(({ init }) => init(file, output))
      ).pipe(Command.withDescription("Write an aura.toml with every setting and its default, commented out."))
    ])
  )

/** Does a part of `aura config` with what every command is told. */
const configured = Effect.fnUntraced(function* (
  part: (config: typeof Config, flags: Settings.Flags) => Effect.Effect<void, Problem.Problem>
) {
  const flags = yield* globals
  yield* part(yield* Effect.promise(() => import("./config.ts")), flags)
})

const doctor = (output: Output) =>
  Command.make("doctor", {}, () => simply(output, { _tag: "Doctor" })).pipe(
    Command.withDescription("Try what this installation rests on, on its own disk, and say what to do.")
  )

const simulate = (output: Output) =>
  Command.make(
    "simulate",
    {
      seed: Flag.Int("seed").pipe(
        Flag.optional,
        Flag.withDescription("Play the world of this seed, and say what happens in it")
      ),
      from: Flag.Int("from").pipe(Flag.withDefault(1), Flag.withDescription("The first seed (default 1)")),
      seeds: Flag.Int("seeds").pipe(Flag.withDefault(20), Flag.withDescription("How many worlds (default 20)")),
      seconds: Flag.Int("seconds").pipe(
        Flag.optional,
        Flag.withDescription("As many worlds as fit into so many seconds")
      ),
      twice: switchFlag("twice", "Play each world twice and compare")
    },
    Effect.fnUntraced(function* ({ from, seconds, seed, seeds, twice }) {
      const { simulate } = yield* Effect.promise(() => import("./simulate.ts"))
      const { line } = yield* Effect.promise(() => import("./CommandLine.ts"))
      const { stoppable } = yield* run
      yield* stoppable(
        simulate(output, {
          from,
          seeds,
          twice,
          seed: Option.getOrUndefined(seed),
          seconds: Option.getOrUndefined(seconds),
          command: (words) => line(words, undefined)
        })
      )
    })
  ).pipe(Command.withDescription("Play simulated worlds with faults, from seeds, and check what must hold."))

/** One line from the person or the pipe. */
const answer = (question: string): Effect.Effect<string, Problem.Problem> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { open } = yield* Effect.promise(() => import("./Ask.ts"))
      return yield* (yield* open).line(process.stdin.isTTY === true ? question : "")
    })
  )
