/**
 * Decisions in words: `explain` is the operator's text and may name devices, `refusal` the peer's and may not.
 *
 * Devices, feeds and entries are shown by the first ten characters of their ids.
 */
import * as Clock from "../journal/Clock.ts"
import type * as Authority from "./Authority.ts"
import type * as Decision from "./Decision.ts"

/** For operators: names devices and links. */
export const explain = (decision: Decision.Decision): string => {
  if (decision._tag === "Allowed") {
    return decision.because.length === 0
      ? "allowed: the operation asks for no capability"
      : decision.because.map((ground) => `allowed: ${groundText(ground)}`).join("; ")
  }
  return refusalText(decision.because)
}

const refusalText = (because: Decision.Refusal): string => {
  switch (because._tag) {
    case "Malformed":
      return `malformed: ${because.what}`
    case "NotAdmitted":
      return `device ${because.device.slice(0, 10)} was not admitted, as far as this entry had seen`
    case "Revoked":
      return `device ${because.device.slice(0, 10)} was revoked by ${because.by.slice(0, 10)} (entry ${because.entry.slice(0, 10)}): ${because.reason || "no reason given"}`
    case "Terminated":
      return `device ${because.device.slice(0, 10)} is terminated by severe reports: entries ${because.reports.map((hash) => hash.slice(0, 10)).join(", ")}`
    case "Forked":
      return `feed ${because.feed.slice(0, 10)} has two histories from entry ${because.at} on and is frozen there`
    case "Closed":
      return `device ${because.by.slice(0, 10)} ended its feed ${because.feed.slice(0, 10)} before`
    case "TimeNotAbove":
      return `its time is not above that of entry ${because.seen.slice(0, 10)}, which it has seen`
    case "UnknownDefinition":
      return `nobody who may define applications had defined ${because.definition.slice(0, 10)} in what this entry had seen`
    case "UnknownOperation":
      return `the application defines no operation "${because.type}"`
    case "MissingCapability":
      return `device ${because.device.slice(0, 10)} lacks ${because.needed}; it holds ${
        because.held.length === 0 ? "nothing" : because.held.map((right) => right.capability).join(", ")
      }`
    case "ChainTooLong":
      return `${because.needed} is held through ${because.right.through.length} grants, allowed are ${because.chainMax}`
    case "TrustTooLow":
      return `device ${because.standing.device.slice(0, 10)} is trusted ${because.standing.level} (${because.standing.value}), needed is ${because.needed}`
    case "NotAttested":
      return `device ${because.standing.device.slice(0, 10)} is attested by ${because.standing.attesters.length} who count, needed are ${because.needed}`
    case "OutsideTime":
      return `${Clock.toText(because.time)} is not ${timeText(because.demand)}`
    case "NoneMet":
      return because.of.length === 0
        ? "the policy lets nobody"
        : `none of ${because.of.length} ways is open: ${because.of.map(refusalText).join("; ")}`
    case "ChangeInvalid":
      return `change ${because.index} of ${because.type} is invalid: ${because.what}`
    case "WriteOutside":
      return `${because.type} touches ${because.touched}; allowed: ${because.allowed.join(", ")}`
    case "RequestForeign":
      return `it carries a request of device ${because.requester.slice(0, 10)} without that device's signature`
    case "RequestStale":
      return `it carries a request of device ${because.requester.slice(0, 10)} of another day: ${Clock.toText(because.time)}`
    case "Duplicate":
      return `its idempotency key was used before, by entry ${because.seq} of feed ${because.feed.slice(0, 10)}`
  }
}

/** For the peer that asked: the kind of refusal, no names of third parties. */
export const refusal = (decision: Decision.Denied): string => {
  switch (decision.because._tag) {
    case "MissingCapability":
      return `you lack ${decision.because.needed}`
    case "Revoked":
      return "your device was revoked"
    case "NotAdmitted":
      return "your device is not a member"
    case "Terminated":
      return "your device was reported too often"
    case "ChainTooLong":
      return `your ${decision.because.needed} came through too many hands`
    case "TrustTooLow":
      return `you are not trusted enough: ${decision.because.needed} is needed`
    case "NotAttested":
      return `you need ${decision.because.needed} attestations`
    case "OutsideTime":
      return "not at this time"
    case "NoneMet":
      return "you meet none of what the policy allows"
    case "UnknownOperation":
    case "ChangeInvalid":
    case "WriteOutside":
    case "Malformed":
      return explain(decision)
    default:
      return "refused"
  }
}

const groundText = (ground: Decision.Ground): string => {
  switch (ground._tag) {
    case "Capability":
      return `${ground.needed} by ${ground.right.capability}${throughText(ground.right)}`
    case "Trust":
      return `trusted ${ground.standing.level} (${ground.standing.value}) through ${ground.standing.path.map((device) => device.slice(0, 10)).join(" → ")}`
    case "Attested":
      return `attested by ${ground.attesters.map((device) => device.slice(0, 10)).join(", ")}`
    case "Time":
      return timeText(ground.demand)
  }
}

const timeText = (demand: Decision.Timely): string => {
  if (demand._tag === "Within") {
    const parts = [
      ...(demand.from === undefined ? [] : [`from ${Clock.toText(demand.from)}`]),
      ...(demand.until === undefined ? [] : [`until ${Clock.toText(demand.until)}`])
    ]
    return parts.join(" ")
  }
  const { from, offset, to } = demand.hours
  const hand = (minutes: number): string =>
    `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`
  return `between ${hand(from)} and ${hand(to)} at UTC${offset < 0 ? "-" : "+"}${hand(Math.abs(offset))}`
}

const throughText = (right: Authority.Held): string =>
  right.through.length === 0
    ? ", from founding the space"
    : `, granted through ${right.through.map((hash) => hash.slice(0, 10)).join(" → ")}`
