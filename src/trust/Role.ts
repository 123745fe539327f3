/**
 * Roles: bundles of capabilities with a name, so that people share in one word. Two are everybody's; an application
 * defines its own (trust/Definition.ts), also in the place of these.
 *
 * A role is nothing that a device has: giving one grants the rights that it holds at that moment. Who shall get what a
 * newer version of the application adds to it is given it again.
 */
import { all, capability } from "./Capability.ts"
import type { Definition, RoleRight } from "./Definition.ts"
import { grantDepthMax } from "./limits.ts"
import * as Right from "./Right.ts"

/** `owner` may everything and pass on everything but the last step; `reader` may follow what happens. */
const everywhere: ReadonlyMap<string, ReadonlyArray<RoleRight>> = new Map([
  ["owner", [{ capability: all, depth: grantDepthMax - 1 }]],
  ["reader", [{ capability: capability("space:read"), depth: 0 }]]
])

/** What may be set when a role is given. */
export interface Limits {
  /** How often it may be passed on, at most: no more than the role says. */
  readonly depth?: number | undefined
  /** Entry time, inclusive. */
  readonly until?: number | undefined
}

/** The roles there are, by name: the application's and everybody's. */
export const rolesOf = (definition: Definition | undefined): ReadonlyMap<string, ReadonlyArray<RoleRight>> =>
  new Map([...everywhere, ...(definition?.roles ?? [])])

/** The rights that giving a role grants; undefined: there is no such role. */
export const rightsOf = (
  definition: Definition | undefined,
  role: string,
  { depth, until }: Limits = {}
): ReadonlyArray<Right.Right> | undefined =>
  rolesOf(definition)
    .get(role)
    ?.map((right) =>
      Right.make(right.capability, { depth: depth === undefined ? right.depth : Math.min(depth, right.depth), until })
    )

/** The role whose capabilities somebody holds, all of them and none beyond: for showing; undefined: none. */
export const nameOf = (definition: Definition | undefined, held: ReadonlyArray<Right.Right>): string | undefined => {
  const mine = textOf(held)
  for (const [name, rights] of rolesOf(definition)) if (textOf(rights) === mine) return name
  return undefined
}

const textOf = (rights: ReadonlyArray<RoleRight>): string =>
  [...new Set(rights.map((right) => right.capability as string))].sort().join()
