/**
 * `aura space recover`: the recovery words put a stolen device out and bring back whom it put out.
 *
 * Who has the words acts as the space's root, which no restriction binds: a root entry is written here, into a feed of its
 * own, signed by the root key, which is in memory for this moment only. It revokes the named device, by default from
 * before it first revoked somebody else: then those revocations count nowhere, and their victims are members again, as if
 * nothing had happened. This device gets all rights, for the founder may be the stolen one. What would come of it is
 * computed first and shown; nothing is written before it is confirmed.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { entryHash, short, type DeviceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import * as Feed from "../journal/Feed.ts"
import { authorityWrite } from "../runtime/Write.ts"
import * as Ledger from "../runtime/Ledger.ts"
import * as Line from "../runtime/Line.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Authority from "../trust/Authority.ts"
import { all } from "../trust/Capability.ts"
import * as Fact from "../trust/Fact.ts"
import * as Right from "../trust/Right.ts"
import { grantDepthMax } from "../trust/limits.ts"
import * as Chronicle from "./Chronicle.ts"
import type { Voice } from "./Control.ts"
import * as Cut from "../runtime/Cut.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Person from "./Person.ts"
import * as Problem from "./Problem.ts"
import * as RootKey from "./RootKey.ts"
import { count, printable, table } from "./Text.ts"

type Recover = ErrandOf<"SpaceRecover">

const reason = "recovered with the recovery words"

export const answer = Effect.fnUntraced(function* (office: Office, errand: Recover, voice: Voice) {
  const replica = yield* office.replica
  const { author, authority } = yield* RootKey.authorOf(replica, errand.words)
  const target = errand.revoke === null ? undefined : yield* Person.device(replica, errand.revoke)
  if (target === office.keys.device) return yield* oneself(target)
  const cut = target === undefined ? [] : yield* cutOf(office, replica, target, errand.cut)
  const facts = factsOf(office, authority, target, cut)
  const outcome = foresee(replica, authority, facts)
  const self = outcome.find(({ device }) => device === office.keys.device)
  const kept = cut.reduce((sum, { seq }) => sum + seq + 1, 0)
  const here = target === undefined ? 0 : countOf(replica.ledger(), target)
  if (self?.after === "revoked") return yield* stillRevoked(replica, office.keys.device, target)
  if (errand.isConfirmed) {
    yield* replica.write({ ...authorityWrite(facts), as: author })
  }
  yield* voice.data({
    isWritten: errand.isConfirmed,
    revoked: target ?? null,
    entriesKept: kept,
    entriesDropped: here - kept,
    devices: outcome.map((one) => ({ ...one, isThis: one.device === office.keys.device }))
  })
})

/** How many entries of a device are here, on whatever branch. */
const countOf = ({ lines }: Ledger.Ledger, device: DeviceId): number =>
  [...lines.values()].reduce(
    (sum, line) => (line.feed.device === device ? sum + line.taken - Line.startOf(line) : sum),
    0
  )

/** What root says: the thief is out, and this device may everything. */
const factsOf = (
  office: Office,
  authority: Authority.Authority,
  target: DeviceId | undefined,
  cut: ReadonlyArray<Feed.Position>
): ReadonlyArray<Fact.AuthorityFact> => {
  const { box, device } = office.keys
  const admission = target === undefined ? undefined : Authority.admissionOf(authority, target)
  const revoke: ReadonlyArray<Fact.AuthorityFact> =
    target === undefined || admission === undefined
      ? []
      : [{ _tag: "Revoke", device: target, admission: admission.hash, cut, reason }]
  const right = Right.make(all, { depth: grantDepthMax })
  return [
    ...revoke,
    { _tag: "Admit", device, box, name: nameOf(authority, device) ?? office.settings.name },
    { _tag: "Grant", device, rights: [right] }
  ]
}

const nameOf = (authority: Authority.Authority, device: DeviceId): string | undefined =>
  Authority.members(authority).find((member) => member.device === device)?.name

interface Standing {
  readonly device: DeviceId
  readonly name: string
  readonly before: "member" | "revoked" | "stranger"
  readonly after: "member" | "revoked" | "stranger"
}

/** Members as they are and as they would be: authority is a value, so the entry can be tried out. */
const foresee = (
  replica: Replica,
  authority: Authority.Authority,
  facts: ReadonlyArray<Fact.AuthorityFact>
): ReadonlyArray<Standing> => {
  const ledger = replica.ledger()
  const { root } = authority.genesis
  const time = Clock.next(ledger.latest, 0)
  const nonce = new Uint8Array(Feed.nonceBytes)
  const feed = Feed.encode({
    space: ledger.space,
    device: root,
    kind: "authority",
    nonce,
    time,
    closes: undefined,
    key: undefined
  })
  const seen = Ledger.unseen(ledger, undefined, "authority", 0)
  const origin = entryHash(Feed.origin(feed))
  const entry = { feed, seq: 0, hash: origin, previousHash: origin, time: time + 1, seen, facts }
  const before = standings(authority)
  const after = standings(Authority.extend(authority, [entry]))
  return [...new Map([...after, ...before])].map(([device, { name }]) => ({
    device,
    name,
    before: before.get(device)?.is ?? "stranger",
    after: after.get(device)?.is ?? "stranger"
  }))
}

const standings = (authority: Authority.Authority) =>
  new Map(
    Authority.members(authority).map(({ device, name, revoked }) => [
      device,
      { name, is: revoked ? ("revoked" as const) : ("member" as const) }
    ])
  )

/** What is left of the stolen device's entries: `start` nothing, `now` all that is here, FEED:SEQ up to that entry's time. */
const cutOf = Effect.fnUntraced(function* (office: Office, replica: Replica, target: DeviceId, wanted: string | null) {
  const ledger = replica.ledger()
  if (wanted === "start") return []
  const everything = Cut.everythingOf(ledger, new Set([target]))
  if (wanted === "now") return everything
  const rows: Array<Chronicle.Row> = []
  for (const line of ledger.lines.values()) {
    if (line.feed.device === target) rows.push(...(yield* Chronicle.rowsOf(office.store, replica.space, line, 0)))
  }
  const end = wanted === null ? firstAttack(rows, target) : yield* afterEntry(rows, wanted)
  if (end === undefined) return everything
  const last = new Map<string, Feed.Position>()
  const shared = new Map(everything.map(({ feed, seq }) => [feed, seq]))
  for (const { clock, feed, hash, seq } of rows) {
    const isInside = clock < end && seq <= (shared.get(feed) ?? -1)
    if (isInside && (last.get(feed)?.seq ?? -1) < seq) last.set(feed, { feed, seq, hash })
  }
  return [...last.values()]
})

/** When the device first revoked somebody else. */
const firstAttack = (rows: ReadonlyArray<Chronicle.Row>, target: DeviceId): number | undefined => {
  const attacks = rows.filter(
    ({ facts, kind }) =>
      kind === "authority" && facts.map(Fact.decode).some((fact) => fact._tag === "Revoke" && fact.device !== target)
  )
  return attacks.length === 0 ? undefined : Math.min(...attacks.map(({ clock }) => clock))
}

const afterEntry = Effect.fnUntraced(function* (rows: ReadonlyArray<Chronicle.Row>, wanted: string) {
  const [feed = "", seq = ""] = wanted.split(":")
  const found =
    /^[0-9a-f]{4,64}$/u.test(feed) && /^\d+$/u.test(seq)
      ? rows.filter((row) => row.feed.startsWith(feed) && row.seq === Number(seq))
      : []
  if (found[0] !== undefined && found.length === 1) return found[0].clock + 1
  return yield* Problem.make("CutInvalid", {
    what: `--cut ${wanted} names no entry of that device`,
    allowed: 'start, now, or FEED:SEQ as "aura journal log" shows it: the last entry that is kept',
    isUsage: true
  })
})

const oneself = (device: DeviceId): Problem.Problem =>
  Problem.make("RevokesItself", {
    what: `${short(device)} is this device: it would put itself out`,
    do: "run it on a device that is still yours and name the stolen one",
    isUsage: true
  })

/** Revocation is final for a key, so the way back leads over who revoked this device. */
const stillRevoked = (replica: Replica, self: DeviceId, target: DeviceId | undefined): Problem.Problem => {
  const authority = replica.ledger().authority!
  const others = Authority.revocations(authority, self)
    .filter(({ node }) => node.feed.device !== target)
    .map(({ node }) => (node.feed.device === authority.genesis.root ? "the recovery words" : short(node.feed.device)))
  const isByRoot = others.includes("the recovery words")
  return Problem.make("StillRevoked", {
    what: `this device would stay revoked, by ${[...new Set(others)].join(", ") || short(target ?? self)}; nothing was written`,
    do: isByRoot
      ? "a revocation by the recovery words is final: start this device anew in a fresh directory and pair it"
      : "name the device that revoked this one: aura space recover --revoke DEVICE; with --cut start if it acted before its first revocation"
  })
}

const Recovered = Schema.Struct({
  isWritten: Schema.Boolean,
  revoked: Schema.NullOr(Schema.String),
  entriesKept: Schema.Finite,
  entriesDropped: Schema.Finite,
  devices: Schema.Array(
    Schema.Struct({
      device: Schema.String,
      name: Schema.String,
      before: Schema.String,
      after: Schema.String,
      isThis: Schema.Boolean
    })
  )
})

export const render = (data: Data): string => {
  const { devices, entriesDropped, entriesKept, isWritten, revoked } = Schema.decodeUnknownSync(Recovered)(data)
  const rows = devices.map(({ after, before, device, isThis, name }) => [
    before === after ? "" : after === "member" ? "+" : "-",
    device.slice(0, 10),
    `${printable(name)}${isThis ? " (this device)" : ""}`,
    before === after ? after : `${before} → ${after}`
  ])
  const dropped =
    revoked === null
      ? []
      : [`of ${revoked.slice(0, 10)}: ${count(entriesKept, "entry", "entries")} kept, ${entriesDropped} dropped`]
  const rest =
    revoked === null || isWritten
      ? []
      : [`what this device does not have of ${revoked.slice(0, 10)} is dropped too: sync with the others first`]
  const done = isWritten ? ['written; "aura sync" carries it to the others'] : []
  return [table(rows), ...dropped, ...rest, ...done].join("\n")
}
