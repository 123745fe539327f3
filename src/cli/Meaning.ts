/**
 * What a wish of the command line means: names become devices, roles rights, texts policies and entries, and the whole
 * an act (runtime/Governing.ts). What has no meaning is a problem of usage, and says what would have one.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { DeviceId, EntryHash } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import type * as Governing from "../runtime/Governing.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Authority from "../trust/Authority.ts"
import { isCapability } from "../trust/Capability.ts"
import type { Definition } from "../trust/Definition.ts"
import * as Descent from "../trust/Descent.ts"
import { levels, severities } from "../trust/Level.ts"
import { claimCharactersMax, grantDepthMax, reasonCharactersMax } from "../trust/limits.ts"
import * as Policy from "../trust/Policy.ts"
import * as Right from "../trust/Right.ts"
import * as Role from "../trust/Role.ts"
import * as Chronicle from "./Chronicle.ts"
import * as Moment from "./Moment.ts"
import type { Office } from "./Office.ts"
import * as Person from "./Person.ts"
import * as PolicyJson from "./PolicyJson.ts"
import * as Problem from "./Problem.ts"
import type { Wish, WishOf } from "./Wish.ts"

/** What finding a meaning takes. */
type Desk = Pick<Office, "store" | "time">

export const actOf = Effect.fnUntraced(function* (
  office: Desk,
  replica: Replica,
  wish: Wish
): Effect.fn.Return<Governing.Act, unknown> {
  if ("reason" in wish) yield* checkLength("reason", wish.reason, 0, reasonCharactersMax)
  switch (wish._tag) {
    case "Lift":
      return yield* lift(replica, wish)
    case "Settle":
      return { _tag: "Settle", position: yield* position(office, replica, wish.position) }
    case "SetPolicy":
      return yield* policy(office, replica, wish)
  }
  const device = yield* Person.device(replica, wish.device)
  switch (wish._tag) {
    case "Grant":
      return { _tag: "Grant", device, rights: yield* rights(office, replica, wish) }
    case "Revoke":
      return { _tag: "Revoke", device, reason: wish.reason }
    case "Withdraw":
      return yield* withdraw(replica, device, wish)
    case "Limit": {
      yield* exactlyOne({ "--can": wish.can.length > 0, "--nothing": wish.isNothing })
      return { _tag: "Limit", device, ceiling: yield* capabilities(wish.can), reason: wish.reason }
    }
    case "Relate":
      return { _tag: "Relate", device, level: yield* word("Level", levels, wish.level) }
    case "Attest": {
      yield* checkLength("claim", wish.claim, 1, claimCharactersMax)
      return { _tag: "Attest", device, claim: wish.claim }
    }
    case "Lower":
      return { _tag: "Lower", device, level: yield* word("Level", levels, wish.level), reason: wish.reason }
    case "Report":
      return {
        _tag: "Report",
        device,
        severity: yield* word("Severity", severities, wish.severity),
        reason: wish.reason
      }
  }
})

/** What is to be given: a role or capabilities. */
export interface Gift {
  readonly role: string | null
  readonly can: ReadonlyArray<string>
  readonly depth: number | null
  readonly until: string | null
}

/** The rights that a role or capabilities give; without a depth, capabilities may be passed on so often. */
export const rights = Effect.fnUntraced(function* (
  office: Desk,
  replica: Replica,
  { can, depth, role, until }: Gift,
  depthOtherwise = 0
) {
  yield* exactlyOne({ "--role": role !== null, "--can": can.length > 0 })
  if (depth !== null && (depth < 0 || depth > grantDepthMax)) {
    return yield* Problem.make("DepthInvalid", {
      what: `a depth of ${depth}`,
      allowed: `0 (may not pass rights on) to ${grantDepthMax}`,
      isUsage: true
    })
  }
  const end = yield* Moment.endOf(until, office.time.now().millis)
  if (role === null) {
    const limits = { depth: depth ?? depthOtherwise, until: end }
    return (yield* capabilities(can)).map((one) => Right.make(one, limits))
  }
  const definition = definitionOf(replica)
  const given = Role.rightsOf(definition, role, { depth: depth ?? undefined, until: end })
  if (given !== undefined) return given
  return yield* Problem.make("RoleUnknown", {
    what: `there is no role "${role}"`,
    allowed: [...Role.rolesOf(definition)]
      .map(([name, held]) => `${name} (${held.map(({ capability }) => capability).join(", ")})`)
      .join(", "),
    isUsage: true
  })
})

/** The newest definition of the space's application that counts. */
export const definitionOf = (replica: Replica): Definition | undefined => {
  const { authority } = replica.ledger()
  return authority === undefined ? undefined : Authority.definitions(authority).at(-1)
}

/** The type of an operation, by its name in the application or whole: `add`, `tasks.add`. */
export const operation = Effect.fnUntraced(function* (replica: Replica, text: string) {
  const definition = definitionOf(replica)
  if (definition === undefined) {
    return yield* Problem.make("DefinitionMissing", {
      what: "this device does not know yet what the space holds",
      do: 'run "aura sync" to fetch it from another device'
    })
  }
  const type = [text, `${definition.app}.${text}`].find((one) => definition.operations.has(one))
  if (type !== undefined) return { definition, type }
  return yield* Problem.make("OperationUnknown", {
    what: `the application "${definition.app}" has no operation "${text}"`,
    allowed: [...definition.operations.keys()].join(", "),
    isUsage: true
  })
})

/** Of several ways to say something, one was chosen. */
const exactlyOne = Effect.fnUntraced(function* (ways: Readonly<Record<string, boolean>>) {
  const chosen = Object.entries(ways).flatMap(([flag, isSaid]) => (isSaid ? [flag] : []))
  if (chosen.length === 1) return
  return yield* Problem.make("ChoiceNeeded", {
    what: chosen.length === 0 ? "what is missing" : `${chosen.join(" and ")} don't go together`,
    allowed: `one of ${Object.keys(ways).join(", ")}`,
    isUsage: true
  })
})

const capabilities = Effect.fnUntraced(function* (can: ReadonlyArray<string>) {
  const known = can.filter(isCapability)
  if (known.length === can.length) return known
  return yield* Problem.make("CapabilityInvalid", {
    what: `no capability: ${can.filter((one) => !isCapability(one)).join(", ")}`,
    allowed: '"*", an action such as "task:write", or an action on a resource such as "task:write/tasks/*"',
    isUsage: true
  })
})

const word = Effect.fnUntraced(function* <Word extends string>(
  of: "Level" | "Severity",
  words: ReadonlyArray<Word>,
  text: string
) {
  const found = words.find((one) => one.toLowerCase() === text.toLowerCase())
  if (found !== undefined) return found
  return yield* Problem.make(`${of}Invalid`, {
    what: `there is no ${of.toLowerCase()} "${text}"`,
    allowed: words.join(", ").toLowerCase(),
    isUsage: true
  })
})

const checkLength = Effect.fnUntraced(function* (of: "reason" | "claim", text: string, min: number, max: number) {
  if (text.length >= min && text.length <= max) return
  return yield* Problem.make(of === "reason" ? "ReasonInvalid" : "ClaimInvalid", {
    what: `a ${of} of ${text.length} characters`,
    allowed: min === 0 ? `at most ${max}` : `${min} to ${max}`,
    isUsage: true
  })
})

const withdraw = Effect.fnUntraced(function* (
  replica: Replica,
  device: DeviceId,
  { can, grant, isAll, reason }: WishOf<"Withdraw">
) {
  yield* exactlyOne({ "--can": can.length > 0, "--grant": grant !== null, "--all": isAll })
  const { authority } = replica.ledger()
  const grants = authority === undefined ? [] : Authority.grantsTo(authority, device)
  const what: Governing.Withdrawn =
    grant !== null
      ? { grant: yield* Person.oneOf(grants, grant, "grant to this device") }
      : isAll
        ? "everything"
        : { can: yield* capabilities(can) }
  return { _tag: "Withdraw", device, what, reason } as const
})

const lift = Effect.fnUntraced(function* (replica: Replica, { restriction }: WishOf<"Lift">) {
  const { authority } = replica.ledger()
  const standing = authority === undefined ? [] : Authority.restrictions(authority)
  const liftable = standing.filter(({ fact }) => Descent.isLiftable(fact))
  const [text = "", indexText] = restriction.split(":")
  const entry = yield* Person.oneOf(
    liftable.map(({ node }) => node.hash),
    text,
    "restriction that can be lifted"
  )
  const indexes = liftable.filter(({ node }) => node.hash === entry).map(({ index }) => index)
  const index = indexText === undefined && indexes.length === 1 ? indexes[0] : Number(indexText)
  if (index !== undefined && indexes.includes(index)) return { _tag: "Lift", entry, index } as const
  return yield* Problem.make("EntryAmbiguous", {
    what:
      indexText === undefined ? `the entry restricts ${indexes.length} times` : `it has no restriction ${indexText}`,
    allowed: indexes.map((one) => `${entry.slice(0, 10)}:${one}`).join(", "),
    isUsage: true
  })
})

const policy = Effect.fnUntraced(function* (office: Desk, replica: Replica, wish: WishOf<"SetPolicy">) {
  const { attested, can, from, isDefined, reason, trust, until } = wish
  const isInParts = can.length > 0 || [trust, attested, from, until].some((part) => part !== null)
  yield* exactlyOne({
    "--policy": wish.policy !== null,
    "--can, --trust, --attested, --from, --until": isInParts,
    "--defined": isDefined
  })
  const { definition, type } = yield* operation(replica, wish.operation)
  const { millis } = office.time.now()
  const time = (text: string | null) =>
    text === null ? Effect.undefined : Effect.map(Moment.momentOf(text, millis), Clock.fromMillis)
  const source: Policy.Source = {
    capabilities: yield* capabilities(can),
    ...(trust === null ? {} : { minTrust: yield* word("Level", levels, trust) }),
    ...(attested === null ? {} : { attestations: attested }),
    ...optional("from", yield* time(from)),
    ...optional("until", yield* time(until))
  }
  const read = PolicyJson.fromJson(wish.policy ?? PolicyJson.toJson(Policy.make(source)))
  if (Result.isFailure(read))
    return yield* Problem.make("PolicyInvalid", { what: read.failure, allowed: PolicyJson.allowed, isUsage: true })
  const set = isDefined ? undefined : read.success
  return { _tag: "SetPolicy", app: definition.app, operation: type, policy: set, reason } as const
})

const optional = <Key extends string, Value>(key: Key, value: Value | undefined): { readonly [key in Key]?: Value } =>
  value === undefined ? {} : ({ [key]: value } as { readonly [key in Key]: Value })

/** FEED:SEQ, and the beginning of the entry's hash where two histories have that number. */
const position = Effect.fnUntraced(function* (office: Desk, replica: Replica, text: string) {
  const [feedText = "", seqText = "", hashText] = text.split(":")
  const { forks, lines } = replica.ledger()
  const feed = yield* Person.oneOf(forks.keys(), feedText, "feed with two histories")
  const seq = /^\d{1,15}$/u.test(seqText) ? Number(seqText) : Number.NaN
  const hashes = new Set<EntryHash>()
  for (const line of lines.values()) {
    if (line.feed.id !== feed || Number.isNaN(seq)) continue
    for (const row of yield* Chronicle.rowsOf(office.store, replica.space, line, seq))
      if (row.seq === seq) hashes.add(row.hash)
  }
  if (hashes.size === 1 && hashText === undefined) return { feed, seq, hash: [...hashes][0]! }
  if (hashText === undefined && hashes.size > 1) {
    return yield* Problem.make("EntryAmbiguous", {
      what: `${hashes.size} histories have an entry ${seq}`,
      allowed: [...hashes].map((hash) => `${feed.slice(0, 10)}:${seq}:${hash.slice(0, 10)}`).join(", "),
      isUsage: true
    })
  }
  return { feed, seq, hash: yield* Person.oneOf(hashes, hashText ?? "", `entry ${seqText} of the feed`) }
})
