/**
 * `aura explain DEVICE OPERATION`: whether a device may do that, and everything the answer rests on, as a small tree.
 *
 * Allowed: the grants that let it, from the founder on. Denied: the demand that is not met and, of a capability, each
 * grant that might have given it with its fault. `--at` asks the same of an earlier state: what was known up to a time or
 * to the named entries, decided as of then.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { deviceId, type DeviceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import type { Position } from "../journal/Feed.ts"
import * as AccessControl from "../runtime/AccessControl.ts"
import * as Authority from "../trust/Authority.ts"
import { isCapability } from "../trust/Capability.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import * as Meaning from "./Meaning.ts"
import * as Moment from "./Moment.ts"
import type { Office } from "./Office.ts"
import * as Person from "./Person.ts"
import * as Problem from "./Problem.ts"
import * as Reasons from "./Reasons.ts"

export const answer = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"Explain">, voice: Voice) {
  const replica = yield* office.replica
  const { definition: newest, type } = yield* Meaning.operation(replica, errand.operation)
  const ledger = replica.ledger()
  // whoever knows a definition knows the space
  const present = ledger.authority!
  const device = yield* deviceOf(errand.device, Person.device(replica, errand.device))
  const resource = yield* resourceOf(errand.resource)
  const now = Clock.next(ledger.latest, office.time.now().millis)
  const { authority, time } =
    errand.at === null ? { authority: present, time: now } : yield* stateAt(present, errand.at)
  const definition = errand.at === null ? newest : Authority.definitions(authority).at(-1)
  if (definition === undefined) {
    return yield* Problem.make("NothingThen", {
      what: `as of ${errand.at} nobody had defined the application`,
      do: '"aura journal log" shows when what was written'
    })
  }
  const checked = AccessControl.check({ authority }, definition, { device, operation: type, resource }, time)
  const source = { authority, definition, names: Person.namesOf(present) }
  yield* voice.data(toData(Reasons.of(source, checked)))
})

const toData = Schema.decodeUnknownSync(Schema.Record(Schema.String, Schema.Json))

/** A member, or whatever device a whole id means: also of a stranger one may ask why. */
const deviceOf = <E, R>(text: string, member: Effect.Effect<DeviceId, E, R>): Effect.Effect<DeviceId, E, R> =>
  /^[0-9a-f]{64}$/u.test(text) ? Effect.succeed(deviceId(Buffer.from(text, "hex"))) : member

const resourceOf = Effect.fnUntraced(function* (text: string | null) {
  if (text === null) return undefined
  if (isCapability(`a/${text}`)) return text
  return yield* Problem.make("ResourceInvalid", {
    what: `"${text}" names no resource`,
    allowed: "segments joined by /, the last may be *: tasks/7, tasks/*",
    isUsage: true
  })
})

/** What was known up to a time, or to these entries; and the entry time for which that is asked. */
const stateAt = Effect.fnUntraced(function* (present: Authority.Authority, text: string) {
  const millis = Moment.instantOf(text)
  const positions =
    millis === undefined
      ? yield* Effect.forEach(text.split(","), (one) => positionOf(present, one.trim()))
      : lastBefore(present, Clock.fromMillis(millis + 1))
  const view = Authority.look(present, Authority.emptyView(present), positions)
  const times = [...view.heads.values()].flat().map((head) => head.time)
  const time = millis === undefined ? Math.max(0, ...times) : Clock.fromMillis(millis)
  return { authority: Authority.past(present, view), time }
})

/** The last entry of each branch of a time below this: what they name lies before them, so nothing is left out. */
const lastBefore = (authority: Authority.Authority, time: number): ReadonlyArray<Position> =>
  [...Authority.present(authority).heads.values()].flat().flatMap((head) => {
    // times rise along a chain
    let [known, tooLate] = [-1, head.seq + 1]
    while (tooLate - known > 1) {
      const middle = Math.floor((known + tooLate) / 2)
      if ((Authority.backTo(authority, head.hash, middle)?.time ?? time) < time) known = middle
      else tooLate = middle
    }
    const last = known < 0 ? undefined : Authority.backTo(authority, head.hash, known)
    return last === undefined ? [] : [{ feed: last.feed.id, seq: last.seq, hash: last.hash }]
  })

const positionOf = Effect.fnUntraced(function* (authority: Authority.Authority, text: string) {
  const parsed = /^([0-9a-f]+):(\d{1,15})$/u.exec(text)
  if (parsed === null) {
    return yield* Problem.make("FrontierInvalid", {
      what: `"${text}" is no time and no entry`,
      allowed: "a day, a time with its zone (2027-01-31T18:00Z), or FEED:SEQ,… as aura journal log shows them",
      isUsage: true
    })
  }
  const [, feedText = "", seqText] = parsed
  const { heads } = Authority.present(authority)
  const feed = yield* Person.oneOf(heads.keys(), feedText, "feed that says who may do what")
  for (const head of heads.get(feed) ?? []) {
    const node = Authority.backTo(authority, head.hash, Number(seqText))
    if (node !== undefined) return { feed, seq: node.seq, hash: node.hash }
  }
  return yield* Problem.make("EntryUnknown", {
    what: `feed ${feed.slice(0, 10)} has no entry ${seqText}`,
    allowed: `0 to ${Math.max(...(heads.get(feed) ?? []).map(({ seq }) => seq))}`,
    isUsage: true
  })
})
