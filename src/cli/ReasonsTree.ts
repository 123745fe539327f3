/** The evidence of a decision (cli/Reasons.ts) in words, as a tree: what was demanded, what met it, or what is missing. */
import * as Schema from "effect/Schema"
import type { Data } from "./Output.ts"
import { inWords, type Who } from "./Person.ts"
import * as Reasons from "./Reasons.ts"
import { printable, time } from "./Text.ts"
import { draw, type Branch } from "./Tree.ts"

type Parts = Reasons.Reasons
type Refusal = NonNullable<Parts["refusal"]>
type Missing = Extract<Refusal, { readonly kind: "MissingCapability" }>
type Candidate = Missing["candidates"][number]
type Link = Extract<Parts["grounds"][number], { readonly kind: "Capability" }>["chain"][number]
type Right = Link["rights"][number]
type Trust = typeof Reasons.TrustSaid.Type

export const render = (data: Data): string => {
  const reasons = Schema.decodeUnknownSync(Reasons.Reasons)(data)
  const { atMillis, decision, device, grounds, operation, policies, refusal, resource } = reasons
  const on = resource === null ? "" : ` on ${printable(resource)}`
  const verdict = decision === "Allowed" ? "may perform" : "may not perform"
  const root = `${inWords(device)} ${verdict} ${operation}${on}, as of ${time(atMillis)}`
  return draw({
    text: root,
    of: [
      ...policies.map((one) => ({ text: policyText(operation, one) })),
      ...grounds.map(groundBranch),
      ...(refusal === null ? [] : [refusalBranch(device, refusal)])
    ]
  }).join("\n")
}

/** "tasks.add demands task:write, as the application defines" */
export const policyText = (operation: string, { inWords: words, setBy }: Parts["policies"][number]): string =>
  `${operation} demands ${words}, ${setBy === null ? "as the application defines" : `set by ${saidText(setBy)}`}`

/** "Alice (1f0c3a9b2e) at 2026-11-23T12:00:00Z, entry 9f3c1a2b4d: the season is over" */
export const saidText = ({ atMillis, by, entry, reason }: Reasons.Said): string =>
  `${inWords(by)} at ${time(atMillis)}, entry ${entry.slice(0, 10)}${reason === "" ? "" : `: ${printable(reason)}`}`

const groundBranch = (ground: Parts["grounds"][number]): Branch => {
  switch (ground.kind) {
    case "Capability":
      return ground.chain.length === 0
        ? { text: `it has ${ground.needed} from founding the space` }
        : { text: `it has ${heldText(ground)}`, of: ground.chain.map(linkBranch) }
    case "Trust":
      return { text: `it is trusted ${trustText(ground.trust)}` }
    case "Attested":
      return { text: `it is attested by ${ground.attesters.map(inWords).join(", ")}` }
    case "Time":
      return { text: `the time is ${ground.demand}` }
  }
}

/** The right that covers what is needed, where it is another. */
const heldText = ({ needed, right }: { readonly needed: string; readonly right: Right }): string =>
  right.capability === needed ? rightText(right) : `${printable(needed)} by ${rightText(right)}`

const linkBranch = ({ atMillis, by, entry, rights, to }: Link): Branch => ({
  text: grantText(by, to, rights, atMillis, entry)
})

const grantText = (by: Who, to: Who, rights: ReadonlyArray<Right>, atMillis: number, entry: string): string =>
  `${inWords(by)} granted ${inWords(to)} ${rights.map(rightText).join(", ")} at ${time(atMillis)}, entry ${entry.slice(0, 10)}`

const rightText = ({ capability, depth, fromMillis, hours, untilMillis }: Right): string =>
  [
    printable(capability),
    ...(depth === 0 ? [] : [`to be passed on ${depth === 1 ? "once" : `${depth} times`}`]),
    ...(fromMillis === null ? [] : [`from ${time(fromMillis)}`]),
    ...(untilMillis === null ? [] : [`until ${time(untilMillis)}`]),
    ...hours
  ].join(" ")

/** "Medium (6667) through recovery words → creator (1f0c3a9b2e) → Bob (9f3c1a2b4d)" */
export const trustText = ({ attesters, ceiling, level, path, sanction, value }: Trust): string =>
  [
    `${level} (${value})`,
    ...(path.length < 2 ? [] : [`through ${path.map(inWords).join(" → ")}`]),
    ...(attesters.length === 0 ? [] : [`attested by ${attesters.map(inWords).join(", ")}`]),
    ...(ceiling === null ? [] : [`no more than ${ceiling} was set`]),
    ...(sanction === null
      ? []
      : [`reported as ${sanction.severity} by ${sanction.reports.map((one) => saidText(one)).join("; ")}`])
  ].join(", ")

const refusalBranch = (device: Who, refusal: Refusal): Branch => {
  switch (refusal.kind) {
    case "MissingCapability":
      return missingBranch(device, refusal)
    case "ChainTooLong": {
      const { chain, chainMax, needed } = refusal
      const text = `it has ${needed} through ${chain.length} grants, allowed are ${chainMax}`
      return { text, of: chain.map(linkBranch) }
    }
    case "TrustTooLow": {
      const { needed, trust } = refusal
      return { text: `it is trusted ${trustText(trust)}; needed is ${needed}` }
    }
    case "NotAttested": {
      const { needed, trust } = refusal
      return { text: `it is attested by ${trust.attesters.length} who count; needed are ${needed}` }
    }
    case "NoneMet": {
      const of = refusal.of.map((one) => refusalBranch(device, one))
      return { text: `none of ${of.length} ways is open`, of }
    }
    case "Revoked":
      return { text: `it was put out by ${saidText(refusal.revoked)}` }
    case "Terminated": {
      const of = refusal.reports.map((one) => ({ text: saidText(one) }))
      return { text: "it is ended by severe reports", of }
    }
    case "Other":
      return { text: printable(refusal.text) }
  }
}

const missingBranch = (device: Who, { candidates, ceilings, held, needed, roles }: Missing): Branch => {
  const has = held.length === 0 ? "nothing" : held.map(rightText).join(", ")
  const name = device.name === null ? device.device.slice(0, 10) : printable(device.name)
  const role = roles.find((one) => one !== "owner")
  const way = role === undefined ? `--can ${printable(needed)}` : `--role ${role}`
  return {
    text: `${printable(needed)} is missing; it holds ${has}`,
    of: [
      ...ceilings.map(ceilingBranch),
      ...candidates.map(candidateBranch),
      ...(candidates.length === 0 && ceilings.length === 0 ? [{ text: "no grant to it names that" }] : []),
      ...(ceilings.length > 0
        ? []
        : [{ text: `who may pass it on can give it: aura grant ${name.includes(" ") ? `"${name}"` : name} ${way}` }])
    ]
  }
}

const ceilingBranch = (ceiling: Missing["ceilings"][number]): Branch => {
  const most = ceiling.ceiling.length === 0 ? "nothing" : `no more than ${ceiling.ceiling.map(printable).join(", ")}`
  const lift = `who set that can lift it: aura lift ${ceiling.entry.slice(0, 10)}`
  return { text: `it may use ${most}, set by ${saidText(ceiling)}`, of: [{ text: lift }] }
}

const candidateBranch = ({ atMillis, by, entry, fault, right, to }: Candidate): Branch => {
  const said = grantText(by, to, [right], atMillis, entry)
  const giver = inWords(by)
  const but = (text: string, of: ReadonlyArray<Branch> = []): Branch => ({ text: said, of: [{ text, of }] })
  switch (fault.kind) {
    case "NotOpen":
      return but("that is not open at this time")
    case "TooNarrow":
      return but(`that gives ${printable(fault.capability)} and no more`)
    case "GiverStranger":
      return but(`${giver} was no member, as far as that entry had seen`)
    case "GiverRevoked":
      return but(`${giver} was put out by ${saidText(fault.revoked)}`)
    case "Forked":
      return but("that feed has two histories, and this lies behind the fork")
    case "NotPassable":
      return but(`${giver} held ${rightText(fault.right)}, not to be passed on then`)
    case "GiverLacked": {
      const none = `${giver} did not hold it`
      return but(
        fault.candidates.length === 0 ? `${none}: nobody had granted it` : none,
        fault.candidates.map(candidateBranch)
      )
    }
    case "Taken":
      return but(
        fault.ceiling === null || fault.ceiling.length === 0
          ? `taken back by ${saidText(fault.taken)}`
          : `cut down to ${fault.ceiling.map(printable).join(", ")} by ${saidText(fault.taken)}`
      )
  }
}
