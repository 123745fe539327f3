/**
 * The part of the command tree about who may do what: deciding, asking beforehand what that would change, and looking
 * at what was decided and why.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { simply, switchFlag, text } from "./Globals.ts"
import type { Output } from "./Output.ts"
import type { Wish } from "./Wish.ts"

/** Decides what was wished, or says what that would change. */
export const govern = (output: Output, wish: Wish, isWhatIf: boolean) =>
  simply(output, { _tag: "Govern", wish, isWhatIf })

export const deviceArgument = Argument.String("device").pipe(
  Argument.withDescription("Its name, its id, or the beginning of the id")
)

export const reasonFlag = Flag.String("reason").pipe(
  Flag.withDefault(""),
  Flag.withDescription("Why, for the others to read")
)

export const whatIfFlag = switchFlag("what-if", "Write nothing: say who would gain or lose what")

export const untilFlag = text("until", "When it ends: a time (2027-01-31T18:00Z) or how long (12h, 30d)")

export const roleFlag = text("role", "A role of the application, or reader or owner")

const canFlag = (description: string) =>
  Flag.String("can").pipe(Flag.atLeast(0), Flag.withDescription(`${description}; repeat for several`))

const operationArgument = Argument.String("operation").pipe(
  Argument.withDescription("Its name in the application, e.g. add")
)

const level = ["none", "low", "medium", "high"] as const

export const grant = (output: Output) =>
  Command.make(
    "grant",
    {
      device: deviceArgument,
      role: roleFlag,
      can: canFlag("A capability, e.g. task:write"),
      depth: Flag.Int("depth").pipe(
        Flag.optional,
        Flag.withDescription("How often it may be passed on, at most (default: as the role says, else 0)")
      ),
      until: untilFlag,
      whatIf: whatIfFlag
    },
    ({ can, depth, device, role, until, whatIf }) => {
      const limits = { depth: Option.getOrNull(depth), until: Option.getOrNull(until) }
      return govern(output, { _tag: "Grant", device, role: Option.getOrNull(role), can, ...limits }, whatIf)
    }
  ).pipe(Command.withDescription("Let a device do something: a role, or capabilities, that this device may pass on."))

export const revoke = (output: Output) =>
  Command.make(
    "revoke",
    {
      device: deviceArgument,
      can: canFlag("What it shall no longer do, e.g. task:write"),
      grant: text("grant", "Take back what one entry granted: its hash, or the beginning of it"),
      all: switchFlag("all", "Take back everything that it was granted"),
      reason: reasonFlag,
      whatIf: whatIfFlag
    },
    ({ all, can, device, grant, reason, whatIf }) =>
      govern(output, { _tag: "Withdraw", device, can, grant: Option.getOrNull(grant), isAll: all, reason }, whatIf)
  ).pipe(
    Command.withDescription(
      "Take back what a device was granted, and what others have through it. It stays a member and may be granted it again; aura device revoke puts a device out for good."
    )
  )

export const limit = (output: Output) =>
  Command.make(
    "limit",
    {
      device: deviceArgument,
      can: canFlag("What it may still do"),
      nothing: switchFlag("nothing", "It may do nothing at all, until that is lifted"),
      reason: reasonFlag,
      whatIf: whatIfFlag
    },
    ({ can, device, nothing, reason, whatIf }) =>
      govern(output, { _tag: "Limit", device, can, isNothing: nothing, reason }, whatIf)
  ).pipe(
    Command.withDescription(
      "Set a ceiling: a device may use no more than this, whatever it is granted. aura lift takes it back."
    )
  )

export const lift = (output: Output) =>
  Command.make(
    "lift",
    {
      restriction: Argument.String("entry").pipe(
        Argument.withDescription(
          "The entry that restricts: its hash or the beginning of it; ENTRY:INDEX for one of several"
        )
      ),
      whatIf: whatIfFlag
    },
    ({ restriction, whatIf }) => govern(output, { _tag: "Lift", restriction }, whatIf)
  ).pipe(
    Command.withDescription(
      "Take back a restriction that this device set: revoke, limit, trust lower, trust report. Another policy replaces one."
    )
  )

export const trust = (output: Output) =>
  Command.make("trust").pipe(
    Command.withDescription("Who trusts whom: show, relate, attest, lower, report."),
    Command.withSubcommands([
      Command.make("show", { device: deviceArgument.pipe(Argument.optional) }, ({ device }) =>
        simply(output, { _tag: "TrustShow", device: Option.getOrNull(device) })
      ).pipe(Command.withDescription("How far each device is trusted, through whom, who attests and who reports it.")),
      Command.make(
        "relate",
        {
          device: deviceArgument,
          level: Argument.Literals("level", level).pipe(Argument.withDescription("none, low, medium or high")),
          whatIf: whatIfFlag
        },
        ({ device, level, whatIf }) => govern(output, { _tag: "Relate", device, level }, whatIf)
      ).pipe(
        Command.withDescription(
          "Say how far you trust a device. The highest that you said counts; aura trust lower takes from it."
        )
      ),
      Command.make(
        "attest",
        {
          device: deviceArgument,
          claim: Argument.String("claim").pipe(Argument.withDescription('What you vouch for, e.g. "met in person"')),
          whatIf: whatIfFlag
        },
        ({ claim, device, whatIf }) => govern(output, { _tag: "Attest", device, claim }, whatIf)
      ).pipe(Command.withDescription("Vouch for a device: it counts if you are trusted Medium or more.")),
      Command.make(
        "lower",
        {
          device: deviceArgument,
          level: Argument.Literals("level", level).pipe(Argument.withDescription("No more than this")),
          reason: reasonFlag,
          whatIf: whatIfFlag
        },
        ({ device, level, reason, whatIf }) => govern(output, { _tag: "Lower", device, level, reason }, whatIf)
      ).pipe(
        Command.withDescription("Trust a device no more than this: your own word, or everybody's with trust:lower.")
      ),
      Command.make(
        "report",
        {
          device: deviceArgument,
          severity: Argument.Literals("severity", ["minor", "major", "severe"]).pipe(
            Argument.withDescription("minor lowers by a level, major suspends, severe ends it")
          ),
          reason: reasonFlag,
          whatIf: whatIfFlag
        },
        ({ device, reason, severity, whatIf }) => govern(output, { _tag: "Report", device, severity, reason }, whatIf)
      ).pipe(Command.withDescription("Report a device: three reporters who don't hang on each other lower its trust."))
    ])
  )

export const policy = (output: Output) =>
  Command.make("policy").pipe(
    Command.withDescription("What operations demand of whoever performs them: show, set."),
    Command.withSubcommands([
      Command.make("show", { operation: operationArgument.pipe(Argument.optional) }, ({ operation }) =>
        simply(output, { _tag: "PolicyShow", operation: Option.getOrNull(operation) })
      ).pipe(Command.withDescription("What each operation demands now, and who set that.")),
      policySet(output)
    ])
  )

const policySet = (output: Output) =>
  Command.make(
    "set",
    {
      operation: operationArgument,
      can: canFlag("A capability it demands"),
      trust: text("trust", "How far one has to be trusted: low, medium or high"),
      attested: Flag.Int("attested").pipe(Flag.optional, Flag.withDescription("By how many one has to be attested")),
      from: text("from", "From when it may be performed: a time, or how long from now"),
      until: text("until", "Until when: a time, or how long from now"),
      policy: text(
        "policy",
        'The policy as JSON instead, as "aura policy show --json" prints it: {"all":[{"capability":"task:write"},{"trust":"Medium"}]}; {"any":[]} lets nobody'
      ),
      defined: switchFlag("defined", "Back to what the application's definition demands"),
      reason: reasonFlag,
      whatIf: whatIfFlag
    },
    Effect.fnUntraced(function* ({ attested, can, defined, from, operation, policy, reason, trust, until, whatIf }) {
      const { jsonOf } = yield* Effect.promise(() => import("./Input.ts"))
      const value = Option.isNone(policy) ? null : yield* jsonOf(policy.value, "policy")
      const wish = {
        _tag: "SetPolicy",
        operation,
        policy: value,
        can,
        trust: Option.getOrNull(trust),
        attested: Option.getOrNull(attested),
        from: Option.getOrNull(from),
        until: Option.getOrNull(until),
        isDefined: defined,
        reason
      } as const
      yield* govern(output, wish, whatIf)
    })
  ).pipe(Command.withDescription("Change what an operation demands from now on. Needs policy:set."))

export const feed = (output: Output) =>
  Command.make("feed").pipe(
    Command.withDescription("Feeds with two histories: settle."),
    Command.withSubcommands([
      Command.make(
        "settle",
        {
          position: Argument.String("position").pipe(
            Argument.withDescription("FEED:SEQ as aura journal log shows it, or FEED:SEQ:HASH where two stand there")
          ),
          whatIf: whatIfFlag
        },
        ({ position, whatIf }) => govern(output, { _tag: "Settle", position }, whatIf)
      ).pipe(
        Command.withDescription(
          "Of a feed with two histories say which one counts, and up to where, for everybody. Needs device:revoke."
        )
      )
    ])
  )

export const explain = (output: Output) =>
  Command.make(
    "explain",
    {
      device: deviceArgument,
      operation: operationArgument,
      on: text("on", "What it is about, e.g. tasks/7 (default: everything that it may be about)"),
      at: text("at", "As of then: a time (2027-01-31T18:00Z), or the last entries known, FEED:SEQ,…")
    },
    ({ at, device, on, operation }) =>
      simply(output, {
        _tag: "Explain",
        device,
        operation,
        resource: Option.getOrNull(on),
        at: Option.getOrNull(at)
      })
  ).pipe(
    Command.withDescription(
      "Whether a device may perform an operation, and why: the grants that let it, or each link that is missing."
    )
  )
