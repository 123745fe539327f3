/**
 * `writes`: the paths that an operation may touch, each with the mutator, so that `complete` can't rewrite every task.
 *
 *     tasks/{new}:put        tasks/{id}/done:set        tags/urgent:add        members/{self}:put        notes/*:remove
 *
 * A pattern is segments joined by `/`, then `:` and a mutator or `*` (any mutator at exactly this path). A segment is
 *
 *     literal    letters, digits, `_`, `-`, `.`: the segment itself
 *     {name}     any segment; the same name means the same value in the whole fact
 *     {self}     the author's DeviceId
 *     {new}      one of the ids that derive from this entry
 *     *          any segment; binds nothing (for operations on many records at once)
 *
 * A change is covered when one pattern has its mutator and exactly its path; patterns are tried in their order, with
 * what earlier changes of the fact have bound. What a name binds goes into resources (`task:write/tasks/{id}`), so it
 * takes only values that can be a segment there: no `/`, no `*`, no control characters.
 *
 * A put's initial fields are part of the put. This decides what is touched, never whether the author may.
 */
import * as Result from "effect/Result"
import type { Touch } from "./Crdt.ts"

export interface WritesPattern {
  readonly text: string
  readonly mutator: string
  readonly segments: ReadonlyArray<Segment>
}

export type Segment =
  | { readonly _tag: "Literal"; readonly text: string }
  | { readonly _tag: "Name"; readonly name: string }
  | { readonly _tag: "Self" }
  | { readonly _tag: "New" }
  | { readonly _tag: "Any" }

/** What the special segments stand for in one entry. */
export interface WritesContext {
  /** The author's DeviceId. */
  readonly self: string
  /** Whether an id derives from this entry. */
  readonly isNew: (id: string) => boolean
}

/** Values by name: the last one bound, and those before it. Few, so a list is found through faster than a map is made. */
export type Bindings = Binding | undefined

interface Binding {
  readonly name: string
  readonly value: string
  readonly before: Bindings
}

/** What a name is bound to. */
export const boundTo = (bindings: Bindings, name: string): string | undefined => {
  for (let binding = bindings; binding !== undefined; binding = binding.before)
    if (binding.name === name) return binding.value
  return undefined
}

/** Longest pattern, in characters; most segments in one. */
export const patternCharactersMax = 512
export const patternSegmentsMax = 8

/** The pattern, or what is wrong with it. */
export const parse = (text: string): Result.Result<WritesPattern, string> => {
  const quoted = JSON.stringify(text.slice(0, 80))
  if (text.length > patternCharactersMax) return Result.fail(`${quoted} is longer than ${patternCharactersMax}`)
  const colon = text.indexOf(":")
  if (colon < 0) return Result.fail(`${quoted} names no mutator: write "tasks/{id}/done:set" or "tasks/{id}:*"`)
  const mutator = text.slice(colon + 1)
  if (mutator !== "*" && !isName(mutator)) return Result.fail(`${quoted}: ${JSON.stringify(mutator)} is no mutator`)
  const parts = text.slice(0, colon).split("/")
  if (parts.length > patternSegmentsMax) return Result.fail(`${quoted} has more than ${patternSegmentsMax} segments`)
  const segments: Array<Segment> = []
  for (const part of parts) {
    const segment = segmentOf(part)
    if (segment === undefined) {
      return Result.fail(`${quoted}: ${JSON.stringify(part)} is no literal, {name}, {self}, {new} or *`)
    }
    segments.push(segment)
  }
  if (segments[0]?._tag !== "Literal") return Result.fail(`${quoted} begins with no field`)
  return Result.succeed({ text, mutator, segments })
}

/** What the names are bound to if the pattern covers the touch, given what is bound already; "uncovered" if it doesn't. */
const match = (
  pattern: WritesPattern,
  touch: Touch,
  context: WritesContext,
  bound: Bindings
): Bindings | typeof uncovered => {
  const { mutator, segments } = pattern
  if (touch.path.length !== segments.length || (mutator !== "*" && mutator !== touch.mutator)) return uncovered
  let bindings = bound
  for (let index = 0; index < segments.length; index++) {
    const segment = segments[index]!
    const part = touch.path[index]!
    if (segment._tag !== "Name") {
      if (!isCovered(segment, part, context)) return uncovered
      continue
    }
    const value = boundTo(bindings, segment.name)
    if (value === part) continue
    if (value !== undefined || !isResourceSegment(part)) return uncovered
    bindings = { name: segment.name, value: part, before: bindings }
  }
  return bindings
}

const uncovered = "uncovered"

/** All touches of a fact, in their order; fails with the first that no pattern covers. */
export const matchAll = (
  patterns: ReadonlyArray<WritesPattern>,
  touches: ReadonlyArray<Touch>,
  context: WritesContext
): Result.Result<Bindings, Touch> => {
  let bindings: Bindings
  for (const touch of touches) {
    const next = matchAny(patterns, touch, context, bindings)
    if (next === uncovered) return Result.fail(touch)
    bindings = next
  }
  return Result.succeed(bindings)
}

/** A touch in the form of a pattern, for people. */
export const show = (touch: Touch): string => `${touch.path.join("/")}:${touch.mutator}`

const matchAny = (
  patterns: ReadonlyArray<WritesPattern>,
  touch: Touch,
  context: WritesContext,
  bound: Bindings
): Bindings | typeof uncovered => {
  for (const pattern of patterns) {
    const bindings = match(pattern, touch, context, bound)
    if (bindings !== uncovered) return bindings
  }
  return uncovered
}

const isCovered = (segment: Exclude<Segment, { _tag: "Name" }>, part: string, context: WritesContext): boolean => {
  switch (segment._tag) {
    case "Literal":
      return segment.text === part
    case "Self":
      return context.self === part
    case "New":
      return context.isNew(part)
    case "Any":
      return true
  }
}

const segmentOf = (part: string): Segment | undefined => {
  if (part === "*") return { _tag: "Any" }
  if (part === "{self}") return { _tag: "Self" }
  if (part === "{new}") return { _tag: "New" }
  if (part.startsWith("{") && part.endsWith("}")) {
    const name = part.slice(1, -1)
    return isName(name) ? { _tag: "Name", name } : undefined
  }
  return /^[A-Za-z0-9_.-]+$/.test(part) ? { _tag: "Literal", text: part } : undefined
}

const isName = (text: string): boolean => /^[A-Za-z][A-Za-z0-9_]*$/.test(text)

const isResourceSegment = (text: string): boolean => {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code === slash || code === asterisk) return false
  }
  return text !== ""
}

const slash = "/".charCodeAt(0)
const asterisk = "*".charCodeAt(0)
