/**
 * A capability is a permission: an action on a resource pattern, e.g. `task:write`, `storage:read/notes/*`, `*`.
 *
 * Grammar: `*` (everything) or ACTION or ACTION `/` PATTERN. ACTION is lower-case words joined by `:`. PATTERN is
 * segments joined by `/`; the last may be `*`, which covers every resource below, however deep, and not the resource
 * itself. An ACTION without a pattern covers every resource of that action. Matching is by whole segments, so
 * `storage:read/note` says nothing about `storage:read/notes`.
 *
 * Laws (test/trust/Capability.test.ts): `implies` is a partial order with top `*`; `meet` is its greatest lower bound
 * where one exists and none otherwise; sets form a meet-semilattice with top {`*`} and bottom {}: an empty set means
 * nothing, never everything. Two patterns overlap only if one covers the other, so a meet is always one of its operands.
 */
import * as Schema from "effect/Schema"

const action = "[a-z][a-z0-9-]*(?::[a-z][a-z0-9-]*)*"
// no control characters, and no lone surrogates: they have no UTF-8
const segment = "[^/*\\u0000-\\u001f\\ud800-\\udfff]+"
const grammar = new RegExp(`^(?:\\*|${action}(?:/(?:\\*|${segment}(?:/${segment})*(?:/\\*)?))?)$`, "u")

/** Longest capability, in UTF-16 code units. */
export const capabilityCharactersMax = 256

const isCapabilityText = (text: string): boolean => text.length <= capabilityCharactersMax && grammar.test(text)

/** A well-formed capability. (The annotations let a bundler leave it out where only its type is used.) */
export const Capability = /* @__PURE__ */ Schema.String.pipe(
  /* @__PURE__ */ Schema.check(
    /* @__PURE__ */ Schema.makeFilter(isCapabilityText, {
      expected:
        'a capability: "*", an action such as "task:write", or an action on a resource such as "task:write/tasks/*"'
    })
  ),
  /* @__PURE__ */ Schema.brand("Capability")
)
export type Capability = typeof Capability.Type

/** For capabilities that the program itself writes down; dies on a malformed one. */
export const capability = (text: string): Capability => {
  if (!isCapability(text)) throw new TypeError(`"${text}" is no capability`)
  return text
}

export const isCapability = (text: string): text is Capability => isCapabilityText(text)

/** Everything. */
export const all: Capability = capability("*")

/** Whether who holds `a` may do all that `b` permits. */
export const implies = (a: Capability, b: Capability): boolean => {
  if (a === all || a === b) return true
  if (b === all) return false
  if (!a.endsWith("/*")) {
    // without a pattern: every resource of the same action
    return !a.includes("/") && b.startsWith(a) && b.charCodeAt(a.length) === slash
  }
  // the slash stays in the prefix: "x/notes/" can't match "x/notesy"
  return b.length > a.length - 1 && b.startsWith(a.slice(0, -1))
}

const slash = "/".charCodeAt(0)

/** What both permit; undefined when they have nothing in common. */
export const meet = (a: Capability, b: Capability): Capability | undefined =>
  implies(a, b) ? b : implies(b, a) ? a : undefined

/** A set in its one normal form: no member implied by another, sorted. */
export const normalize = (capabilities: Iterable<Capability>): ReadonlyArray<Capability> => {
  const sorted = [...new Set(capabilities)].sort()
  return sorted.filter((one) => !sorted.some((other) => other !== one && implies(other, one)))
}

/** What two sets both permit, in normal form. */
export const meetSets = (a: Iterable<Capability>, b: Iterable<Capability>): ReadonlyArray<Capability> => {
  const right = [...b]
  const result: Array<Capability> = []
  for (const one of a) {
    for (const other of right) {
      const common = meet(one, other)
      if (common !== undefined) result.push(common)
    }
  }
  return normalize(result)
}

/** Whether one member of `set` implies `wanted`. */
export const permits = (set: Iterable<Capability>, wanted: Capability): boolean => {
  for (const one of set) if (implies(one, wanted)) return true
  return false
}
