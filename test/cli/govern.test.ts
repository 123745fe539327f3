/** Deciding at the command line: what each wish means, what it says, and what it says to mistakes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Wish } from "../../src/cli/Wish.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Right from "../../src/trust/Right.ts"
import * as Office from "./office.ts"

const [bob, carol, twin, other] = [0xb0, 0xc0, 0xd1, 0xd2].map(Office.somebody) as [
  ReturnType<typeof Office.somebody>,
  ReturnType<typeof Office.somebody>,
  ReturnType<typeof Office.somebody>,
  ReturnType<typeof Office.somebody>
]
const read = Right.make(capability("space:read"))
const write = Right.make(capability("task:write"))

const alicesOffice = Effect.gen(function* () {
  const opened = yield* Office.open([
    { device: bob, name: "Bob", rights: [read] },
    { device: carol, name: "Carol", rights: [read, write] },
    { device: twin, name: "Twin", rights: [] },
    { device: other, name: "Twin", rights: [] }
  ])
  const wish = (wanted: Wish, isWhatIf = false) => opened.run({ _tag: "Govern", wish: wanted, isWhatIf })
  const explain = (device: string, operation = "add", at: string | null = null) =>
    opened.run({ _tag: "Explain", device, operation, resource: null, at })
  const entries = () => [...opened.replica.ledger().lines.values()].reduce((sum, line) => sum + line.taken, 0)
  return { ...opened, wish, explain, entries }
})

const grant = (parts: Partial<Extract<Wish, { readonly _tag: "Grant" }>> = {}): Wish => ({
  _tag: "Grant",
  device: "Bob",
  role: null,
  can: [],
  depth: null,
  until: null,
  ...parts
})
const withdraw = (parts: Partial<Extract<Wish, { readonly _tag: "Withdraw" }>> = {}): Wish => ({
  _tag: "Withdraw",
  device: "Carol",
  can: [],
  grant: null,
  isAll: false,
  reason: "",
  ...parts
})
const policy = (parts: Partial<Extract<Wish, { readonly _tag: "SetPolicy" }>> = {}): Wish => ({
  _tag: "SetPolicy",
  operation: "add",
  policy: null,
  can: [],
  trust: null,
  attested: null,
  from: null,
  until: null,
  isDefined: false,
  reason: "",
  ...parts
})
const limit = (can: ReadonlyArray<string>, isNothing = false): Wish => ({
  _tag: "Limit",
  device: "Carol",
  can,
  isNothing,
  reason: "calm down"
})

const decision = (done: Office.Done) => done.data[0]?.["decision"]
const hashOf = (done: Office.Done): string =>
  String((done.data[0]?.["entry"] as Readonly<Record<string, unknown>> | null)?.["hash"])
/** Without ids and hashes. */
const plain = (text: string): string => text.replaceAll(/ \((?:entry )?[0-9a-f]{10}\)/gu, "")

describe("granting", () => {
  it.live("by a role says who gains what, and changes nothing when it is only asked", () =>
    Effect.gen(function* () {
      const { entries, explain, run, wish } = yield* alicesOffice
      const before = entries()
      const asked = yield* wish(grant({ role: "writer" }), true)
      const gains = [
        "  Bob gains task:write",
        "  Bob may now perform tasks.add, tasks.remove, tasks.rename, tasks.complete"
      ]
      assert.deepStrictEqual(plain(asked.text).split("\n"), [
        "would grant Bob space:read, task:write; nothing is written",
        ...gains
      ])
      assert.strictEqual(entries(), before)
      assert.isNull(asked.data[0]!["entry"])
      const done = yield* wish(grant({ role: "writer" }))
      assert.deepStrictEqual(plain(done.text).split("\n"), ["granted Bob space:read, task:write", ...gains])
      assert.deepStrictEqual(done.data[0]!["changes"], asked.data[0]!["changes"])
      assert.strictEqual(entries(), before + 1)
      assert.strictEqual(decision(yield* explain("Bob")), "Allowed")
      const listed = yield* run({ _tag: "DeviceList" })
      assert.include(listed.text, "Bob  writer (space:read, task:write)")
      const again = yield* wish(grant({ role: "writer" }))
      assert.include(again.text, "nobody gains or loses anything by it")
    }).pipe(Effect.scoped)
  )

  it.live("by capabilities keeps depth and end", () =>
    Effect.gen(function* () {
      const { wish } = yield* alicesOffice
      const done = yield* wish(grant({ can: ["task:write"], depth: 2, until: "2088-01-31T18:00+01:00" }))
      assert.match(plain(done.text), /^granted Bob task:write to be passed on 2 times until 2088-01-31T17:00:00Z\n/u)
    }).pipe(Effect.scoped)
  )
})

describe("taking back", () => {
  it.live("a capability, a grant or everything leaves a member who may be granted it again", () =>
    Effect.gen(function* () {
      const { explain, wish } = yield* alicesOffice
      const given = yield* wish(grant({ device: "Carol", can: ["task:write"], until: "30d" }))
      const one = yield* wish(withdraw({ grant: hashOf(given).slice(0, 8) }))
      assert.include(plain(one.text), `took what entry ${hashOf(given).slice(0, 10)} granted from Carol`)
      assert.strictEqual(decision(yield* explain("Carol")), "Allowed", "she has it by another grant")
      const taken = yield* wish(withdraw({ can: ["task:write"], reason: "done" }))
      assert.include(plain(taken.text), "took task:write from Carol\n  Carol loses task:write")
      const why = yield* explain("Carol")
      assert.strictEqual(decision(why), "Denied")
      assert.include(plain(why.text), "cut down to space:read by creator")
      const nothing = yield* wish(withdraw({ can: ["device:admit"] }))
      assert.deepInclude(nothing.problem, { code: "ActDenied" })
      assert.match(nothing.problem?.what ?? "", /holds none of this by a grant/u)
      yield* wish(withdraw({ isAll: true }))
      assert.include((yield* explain("Carol")).text, "it holds nothing")
      yield* wish(grant({ device: "Carol", role: "writer" }))
      assert.strictEqual(decision(yield* explain("Carol")), "Allowed")
    }).pipe(Effect.scoped)
  )

  it.live("puts nobody out; revoking a device does, and keeps what is known of it", () =>
    Effect.gen(function* () {
      const { explain, wish } = yield* alicesOffice
      const revoke: Wish = { _tag: "Revoke", device: "Bob", reason: "sold" }
      const asked = yield* wish(revoke, true)
      assert.match(plain(asked.text), /^would revoke Bob; its 0 entries .*; nothing is written\n {2}Bob is put out\n/u)
      const done = yield* wish(revoke)
      assert.match(plain(done.text), /^revoked Bob; its 0 entries known here stay, later ones count nowhere\n/u)
      assert.deepInclude(done.data[0], { device: bob, kept: 0, isThis: false, reason: "sold" })
      assert.include(plain((yield* explain("Bob")).text), "└─ it was put out by creator at ")
      assert.match((yield* wish(revoke)).problem?.what ?? "", /is revoked already/u)
    }).pipe(Effect.scoped)
  )
})

describe("a ceiling", () => {
  it.live("holds whatever is granted, until it is lifted by its entry", () =>
    Effect.gen(function* () {
      const { explain, wish } = yield* alicesOffice
      const set = yield* wish(limit(["space:read"]))
      assert.include(plain(set.text), "limited Carol to space:read\n  Carol loses task:write")
      yield* wish(grant({ device: "Carol", role: "writer" }))
      const why = yield* explain("Carol")
      assert.strictEqual(decision(why), "Denied")
      assert.include(why.text, `aura lift ${hashOf(set).slice(0, 10)}`)
      const lift: Wish = { _tag: "Lift", restriction: hashOf(set).slice(0, 10) }
      assert.include(plain((yield* wish(lift, true)).text), "Carol gains task:write")
      const lifted = yield* wish(lift)
      assert.match(plain(lifted.text), /^lifted restriction 0 of entry [0-9a-f]{10}\n {2}Carol gains task:write/u)
      assert.strictEqual(decision(yield* explain("Carol")), "Allowed")
      const absent = yield* wish({ _tag: "Lift", restriction: "0000" })
      assert.deepInclude(absent.problem, { code: "EntryUnknown", isUsage: true })
      const several = yield* wish(withdraw({ isAll: true }))
      const ambiguous = yield* wish({ _tag: "Lift", restriction: hashOf(several) })
      assert.deepInclude(ambiguous.problem, { code: "EntryAmbiguous", isUsage: true })
      assert.match(ambiguous.problem?.allowed ?? "", /^[0-9a-f]{10}:0, [0-9a-f]{10}:1$/u)
      const second = yield* wish({ _tag: "Lift", restriction: `${hashOf(several)}:1` })
      assert.isUndefined(second.problem, second.problem?.what)
      const ninth = yield* wish({ _tag: "Lift", restriction: `${hashOf(several)}:9` })
      assert.match(ninth.problem?.what ?? "", /has no restriction 9/u)
    }).pipe(Effect.scoped)
  )
})

describe("trust", () => {
  it.live("is related, attested, lowered, reported, and shown with its path", () =>
    Effect.gen(function* () {
      const { run, wish } = yield* alicesOffice
      yield* wish({ _tag: "Relate", device: "Bob", level: "medium" })
      yield* wish({ _tag: "Attest", device: "Bob", claim: "met in person" })
      const shown = yield* run({ _tag: "TrustShow", device: "Bob" })
      assert.strictEqual(
        plain(shown.text),
        "Bob  Medium (7167), through creator → Bob, attested by creator\n  creator says Medium"
      )
      assert.deepInclude(shown.data[0], { level: "Medium", base: 6667 })
      const reported = yield* wish({ _tag: "Report", device: "Bob", severity: "minor", reason: "spam" })
      assert.include(plain(reported.text), "reported Bob as Minor")
      assert.match(
        plain((yield* run({ _tag: "TrustShow", device: "Bob" })).text),
        /\n {2}reported as Minor by creator at \S+Z, entry [0-9a-f]{10}: spam$/u
      )
      const lowered = yield* wish({ _tag: "Lower", device: "Bob", level: "low", reason: "" })
      assert.include(plain(lowered.text), "let Bob be trusted Low at most")
      const all = yield* run({ _tag: "TrustShow", device: null })
      assert.lengthOf(all.data, 5)
      assert.match(plain(all.text), /^creator {2}High \(10000\)\nBob {2}Low /u)
      assert.include((yield* run({ _tag: "DeviceList" })).text, "Bob  reader (space:read)  trusted Low")
    }).pipe(Effect.scoped)
  )
})

describe("a policy", () => {
  it.live("is set in parts or whole, shown with who set it, and taken back", () =>
    Effect.gen(function* () {
      const { explain, run, wish } = yield* alicesOffice
      const show = run({ _tag: "PolicyShow", operation: "add" })
      assert.strictEqual((yield* show).text, "tasks.add demands task:write, as the application defines")
      const parts = policy({ can: ["task:write"], trust: "low", reason: "strangers came" })
      const asked = yield* wish(parts, true)
      assert.include(plain(asked.text), "Carol may no longer perform tasks.add")
      yield* wish(parts)
      const shown = yield* show
      assert.match(
        plain(shown.text),
        /^tasks\.add demands task:write and trusted Low, set by creator at \S+Z, entry [0-9a-f]{10}: strangers came$/u
      )
      assert.include((yield* explain("Carol")).text, "needed is Low")
      const [{ policy: said }] = shown.data[0]!["policies"] as unknown as readonly [{ readonly policy: never }]
      assert.deepStrictEqual(said, { all: [{ capability: "task:write" }, { trust: "Low" }] } as never)
      assert.isUndefined((yield* wish(policy({ policy: { any: [said] } }))).problem)
      assert.include((yield* show).text, "task:write and trusted Low")
      yield* wish(policy({ isDefined: true }))
      assert.strictEqual(decision(yield* explain("Carol")), "Allowed")
      assert.lengthOf((yield* run({ _tag: "PolicyShow", operation: null })).data, 4)
    }).pipe(Effect.scoped)
  )
})

describe("explaining", () => {
  it.live("an earlier state knows what was known then", () =>
    Effect.gen(function* () {
      const { explain, office, replica, wish } = yield* alicesOffice
      const [feed = ""] = [...replica.ledger().lines.values()].map((line) => line.feed.id)
      const last = Math.max(...[...replica.ledger().lines.values()].map((line) => line.taken)) - 1
      yield* wish(withdraw({ can: ["task:write"] }))
      assert.strictEqual(decision(yield* explain("Carol")), "Denied")
      assert.strictEqual(decision(yield* explain("Carol", "add", `${feed.slice(0, 10)}:${last}`)), "Allowed")
      assert.strictEqual(decision(yield* explain("Carol", "add", `${feed}:${last + 1}`)), "Denied")
      assert.include((yield* explain("Carol", "add", `${feed}:0`)).text, "was not admitted")
      const soon = new Date(office.time.now().millis + 3_600_000).toISOString()
      assert.strictEqual(decision(yield* explain("Carol", "add", soon)), "Denied")
      const early = yield* explain("Carol", "add", "2021-01-01")
      assert.deepInclude(early.problem, { code: "NothingThen" })
      for (const at of ["yesterday", `${feed}:99`, "0000:1", "2026-01-01T10:00"])
        assert.isTrue((yield* explain("Carol", "add", at)).problem?.isUsage, at)
    }).pipe(Effect.scoped)
  )

  it.live("also says why a stranger may nothing, and what there is instead of a mistake", () =>
    Effect.gen(function* () {
      const { explain, run } = yield* alicesOffice
      assert.include((yield* explain("e".repeat(64))).text, "was not admitted")
      const burn = yield* explain("Bob", "burn")
      assert.deepInclude(burn.problem, {
        code: "OperationUnknown",
        allowed: "tasks.add, tasks.remove, tasks.rename, tasks.complete"
      })
      const on = yield* run({ _tag: "Explain", device: "Bob", operation: "rename", resource: "/", at: null })
      assert.deepInclude(on.problem, { code: "ResourceInvalid", isUsage: true })
      const seven = yield* run({ _tag: "Explain", device: "Carol", operation: "rename", resource: "tasks/7", at: null })
      assert.include(seven.text, "may perform tasks.rename on tasks/7")
    }).pipe(Effect.scoped)
  )
})

describe("a wish without meaning", () => {
  it.live("is a problem of usage that says what would have one", () =>
    Effect.gen(function* () {
      const { entries, wish } = yield* alicesOffice
      const before = entries()
      const cases: ReadonlyArray<readonly [Wish, code: string, said: RegExp]> = [
        [grant({ device: "Dave", role: "writer" }), "DeviceUnknown", /no device of the space is "Dave"/u],
        [grant({ device: "Twin", role: "writer" }), "DeviceAmbiguous", /d1070707.*d2070707/u],
        [grant({ role: "king" }), "RoleUnknown", /owner \(\*\).*writer \(space:read, task:write\)/u],
        [grant(), "ChoiceNeeded", /one of --role, --can/u],
        [grant({ role: "writer", can: ["task:write"] }), "ChoiceNeeded", /--role and --can don't go together/u],
        [grant({ can: ["Task"] }), "CapabilityInvalid", /no capability: Task/u],
        [grant({ role: "writer", depth: 99 }), "DepthInvalid", /0 .* to 16/u],
        [grant({ role: "writer", until: "tomorrow" }), "TimeInvalid", /"tomorrow" is no time/u],
        [grant({ role: "writer", until: "2021-01-01" }), "TimePast", /2021-01-01T00:00:00Z is past/u],
        [withdraw(), "ChoiceNeeded", /one of --can, --grant, --all/u],
        [withdraw({ grant: "ffff" }), "EntryUnknown", /no grant to this device "ffff"/u],
        [withdraw({ isAll: true, reason: "x".repeat(257) }), "ReasonInvalid", /at most 256/u],
        [limit([]), "ChoiceNeeded", /--can, --nothing/u],
        [{ _tag: "Relate", device: "Bob", level: "very" }, "LevelInvalid", /none, low, medium, high/u],
        [{ _tag: "Attest", device: "Bob", claim: "" }, "ClaimInvalid", /1 to 128/u],
        [{ _tag: "Report", device: "Bob", severity: "bad", reason: "" }, "SeverityInvalid", /minor, major, severe/u],
        [policy(), "ChoiceNeeded", /--policy/u],
        [policy({ operation: "burn", trust: "low" }), "OperationUnknown", /tasks\.add/u],
        [policy({ policy: { capability: "Task" } }), "PolicyInvalid", /no policy/u],
        [policy({ attested: 9 }), "PolicyInvalid", /no policy|integer/u],
        [{ _tag: "Settle", position: "abcd:1" }, "EntryUnknown", /no feed with two histories/u]
      ]
      for (const [wanted, code, said] of cases) {
        const { data, problem } = yield* wish(wanted)
        assert.strictEqual(problem?.code, code, JSON.stringify(wanted))
        assert.isTrue(problem?.isUsage, code)
        assert.match(`${problem?.what} ${problem?.allowed}`, said, code)
        assert.isEmpty(data)
      }
      assert.strictEqual(entries(), before)
    }).pipe(Effect.scoped)
  )

  it.live("is one as well when somebody is to be paired", () =>
    Effect.gen(function* () {
      const { run } = yield* alicesOffice
      const pair = { _tag: "Pair", role: null, can: [], depth: null, until: null, name: null, address: "a:1" } as const
      const cases = [
        [{ ...pair, role: "king" }, "RoleUnknown"],
        [{ ...pair, role: "writer", can: ["task:write"] }, "ChoiceNeeded"],
        [{ ...pair, can: ["Task"] }, "CapabilityInvalid"],
        [{ ...pair, role: "writer", until: "yesterday" }, "TimeInvalid"],
        [{ ...pair, can: ["*"], depth: -1 }, "DepthInvalid"]
      ] as const
      for (const [errand, code] of cases) assert.deepInclude((yield* run(errand)).problem, { code, isUsage: true })
      const paired = yield* run({ ...pair, role: "writer", until: "2088-01-31" })
      assert.deepInclude(paired.data[0], {
        role: "writer",
        can: ["space:read", "task:write"],
        depth: 0,
        untilMillis: 3_726_345_600_000
      })
    }).pipe(Effect.scoped)
  )
})
