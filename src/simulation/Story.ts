/**
 * What people do in one world, drawn from its seed before the world begins: who they are, what they may, what happens.
 *
 * A story has a cast, whose first member founds the space and who invite each other, and incidents at set times:
 * somebody joins late, somebody is revoked by another, two revoke each other, the owner of the recovery words decides.
 * Which kinds of incidents a story has at all is drawn first, like the kinds of faults (Faults.ts).
 */
import { capability } from "../trust/Capability.ts"
import * as Right from "../trust/Right.ts"
import * as Chance from "./Chance.ts"
import type { Statement } from "./Statements.ts"

export const incidentKinds = ["LateJoin", "Revocation", "Mutual", "Recovery", "Mallory"] as const
export type IncidentKind = (typeof incidentKinds)[number]

export type Incident =
  | { readonly _tag: "Join"; readonly who: string; readonly via: string }
  | { readonly _tag: "Revoke"; readonly by: string; readonly who: string }
  | { readonly _tag: "Say"; readonly by: string; readonly what: Statement; readonly who: string }
  /** The holder of the recovery words ends `who`, and takes back whatever it revoked. */
  | { readonly _tag: "Recover"; readonly who: string; readonly at: string }

export interface Person {
  readonly name: string
  /** Who invites this one before anything goes wrong; undefined: founds the space, or comes later. */
  readonly invitedBy: string | undefined
  readonly rights: ReadonlyArray<Right.Right>
  /** Mean time between two operations. */
  readonly paceMillis: number
}

export interface Story {
  readonly kinds: ReadonlyArray<IncidentKind>
  readonly cast: ReadonlyArray<Person>
  readonly incidents: ReadonlyArray<{ readonly atMillis: number; readonly incident: Incident }>
  /** Shows two histories to two of the others, as a device that the cast admitted. */
  readonly liar: string | undefined
}

const right = (text: string, depth: number): Right.Right => Right.make(capability(text), { depth })

const owner = [right("*", 3)]
const writer = [right("note:write", 0), right("space:read", 0)]
const revoker = [...writer, right("device:revoke", 0)]
const administrator = ["note:write", "space:read", "setting:write", "device:revoke", "device:admit"].map((text) =>
  right(text, 1)
)

export const draw = (seed: number, safetyMillis: number): Story => {
  const chance = Chance.make(seed, "story")
  const kinds = incidentKinds.filter(() => chance.happens(0.4))
  const has = (kind: IncidentKind): boolean => kinds.includes(kind)
  const pace = (): number => chance.pick([200, 800, 3_000])
  const person = (name: string, invitedBy: string | undefined, rights: ReadonlyArray<Right.Right>): Person => ({
    name,
    invitedBy,
    rights,
    paceMillis: pace()
  })
  const cast = [
    person("Alice", undefined, owner),
    person("Bob", "Alice", chance.happens(0.7) ? owner : administrator),
    person("Carol", chance.happens(0.5) ? "Alice" : "Bob", chance.pick([owner, administrator, writer])),
    ...(has("Mallory") ? [person("Mallory", "Alice", chance.happens(0.5) ? writer : revoker)] : []),
    ...(has("LateJoin") ? [person("Dave", undefined, chance.pick([owner, writer]))] : [])
  ]
  const at = (): number => chance.between(0, Math.floor(safetyMillis * 0.9))
  const [one = "Alice", other = "Bob"] = chance.shuffle(["Alice", "Bob", "Carol"])
  const together = at()
  const incidents: Array<Story["incidents"][number]> = []
  if (has("LateJoin"))
    incidents.push({ atMillis: at(), incident: { _tag: "Join", who: "Dave", via: chance.pick(["Alice", "Bob"]) } })
  if (has("Revocation")) incidents.push({ atMillis: at(), incident: { _tag: "Revoke", by: one, who: other } })
  if (has("Mutual")) {
    incidents.push({ atMillis: together, incident: { _tag: "Revoke", by: one, who: other } })
    incidents.push({
      atMillis: together + chance.between(0, 3_000),
      incident: { _tag: "Revoke", by: other, who: one }
    })
  }
  if (has("Recovery"))
    incidents.push({
      atMillis: Math.min(safetyMillis, together + chance.between(500, 10_000)),
      incident: { _tag: "Recover", who: other, at: chance.pick(["Alice", "Bob", "Carol"]) }
    })
  return {
    kinds,
    cast,
    incidents: incidents.toSorted((a, b) => a.atMillis - b.atMillis),
    liar: has("Mallory") ? "Mallory" : undefined
  }
}

export const describe = ({ cast, incidents, kinds }: Story): string =>
  [
    `story: ${kinds.join(", ") || "nothing but work"}`,
    ...cast.map(({ invitedBy, name, paceMillis, rights }) => {
      const may = rights.map((one) => `${one.capability} (${one.depth})`).join(", ")
      return `  ${name}: ${invitedBy === undefined ? "" : `invited by ${invitedBy}, `}may ${may}, works every ${paceMillis} ms`
    }),
    ...incidents.map(({ atMillis, incident }) => `  ${atMillis} ms: ${describeIncident(incident)}`)
  ].join("\n")

export const describeIncident = (incident: Incident): string => {
  switch (incident._tag) {
    case "Join":
      return `${incident.who} joins by a code of ${incident.via}`
    case "Revoke":
      return `${incident.by} revokes ${incident.who}`
    case "Say":
      return `${incident.by} ${incident.what} ${incident.who}`
    case "Recover":
      return `the recovery words end ${incident.who} and what it revoked, at the device of ${incident.at}`
  }
}
