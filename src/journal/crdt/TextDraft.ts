/**
 * Edits of a text by position, as changes: without touching the document, and seeing what the same plan has edited.
 *
 * The draft is a list of pieces: stretches of the document as it is, and what was inserted since. An edit cuts pieces;
 * what it names are characters. So a plan that fails leaves nothing behind, and an edit costs as many steps as the plan
 * has pieces, plus the search for its place, which begins where the last one ended.
 *
 * All edits that a plan drafts must be among its changes, in the order in which they were drafted: later ones name the
 * characters of earlier ones.
 */
import { hexToBytes } from "@noble/hashes/utils.js"
import type { Cbor } from "../Cbor.ts"
import type { Change } from "./Crdt.ts"
import { changeAt, stateAt, type Site } from "./Draft.ts"
import type { Field } from "./Field.ts"
import { flush, prefixOf, text as kind, unitOf, type TextState, type Unit } from "./Text.ts"
import { firstPlace, placesAt, rangesBetween, type Place } from "./TextDocument.ts"

/** Positions and counts are of UTF-16 code units. */
export interface TextDraft {
  readonly value: string
  readonly length: number
  /** Throws a RangeError for a position outside the text. */
  readonly insert: (position: number, text: string) => Change
  /** Throws a RangeError for a stretch that is not in the text. */
  readonly delete: (position: number, count: number) => Change
  readonly toString: () => string
}

export const Text = (): Field<string, TextDraft> => ({
  toType: () => ({ kind: kind.kind }),
  show: String,
  isDirect: true,
  toInitial: undefined,
  isForOnePlan: true,
  draft: textDraft
})

/**
 * Visible characters `from` to `to` of the document, or characters inserted by this plan; or a place where this plan
 * deleted such, which `start` names if they were its own. They are still there, out of sight, and what is inserted beside
 * them has to name them as its neighbours: who skips what he has seen would pass for a liar.
 */
type Piece = Visible | { readonly _tag: "Gone"; readonly start: number | undefined }

type Visible =
  | { readonly _tag: "Old"; readonly from: number; readonly to: number }
  | { readonly _tag: "New"; readonly start: number; readonly text: string; readonly right: Unit | null }

interface Plan {
  readonly site: Site
  readonly own: string
  /** Set at the first edit, for most plans look at a text without editing it. */
  pieces: Array<Piece> | undefined
  /** Clock of the next character that this plan inserts. */
  next: number
}

const textDraft = (site: Site): TextDraft => {
  const plan: Plan = { site, own: prefixOf(site.author), pieces: undefined, next: 0 }
  const read = (): string =>
    plan.pieces === undefined ? String(site.read()) : textOf(plan.pieces, String(site.read()))
  return {
    get value() {
      return read()
    },
    get length() {
      return plan.pieces === undefined ? (stateOf(plan)?.document.text.length ?? 0) : lengthOf(plan.pieces)
    },
    insert: (position, text) => insert(plan, position, text),
    delete: (position, count) => remove(plan, position, count),
    toString: read
  }
}

const stateOf = ({ site }: Plan): TextState | undefined => {
  const state = stateAt<TextState>(site)
  if (state !== undefined) flush(state)
  return state
}

const begin = (plan: Plan): Array<Piece> => {
  if (plan.pieces !== undefined) return plan.pieces
  const state = stateOf(plan)
  plan.next = state?.authors.get(plan.own)?.next ?? 0
  const length = state?.document.text.length ?? 0
  return (plan.pieces = length === 0 ? [] : [{ _tag: "Old", from: 0, to: length }])
}

const insert = (plan: Plan, position: number, text: string): Change => {
  const pieces = begin(plan)
  const at = cut(pieces, position)
  const start = plan.next
  const before = pieces[at - 1]
  if (before?._tag === "Gone") throw new TypeError("a place in the text is behind something deleted")
  const after = pieces[at]
  const left = before === undefined ? null : lastUnit(plan, before)
  const behind = rightOf(plan, before)
  const next = after === undefined || after._tag === "Old" ? undefined : after.start
  const right = next === undefined ? behind : { prefix: plan.own, clock: next }
  if (text !== "") pieces.splice(at, 0, { _tag: "New", start, text, right: behind })
  plan.next += text.length
  return changeAt(plan.site, "insert", start, unitToCbor(plan, left), unitToCbor(plan, right), text)
}

const remove = (plan: Plan, position: number, count: number): Change => {
  const pieces = begin(plan)
  if (count < 0) throw new RangeError(`a count of ${count}`)
  const from = cut(pieces, position)
  const to = cut(pieces, position + count)
  const removed = pieces.slice(from, to)
  pieces.splice(from, to - from, ...removed.map(goneOf))
  return changeAt(
    plan.site,
    "delete",
    removed.flatMap((piece) => rangesOf(plan, piece))
  )
}

const goneOf = (piece: Piece): Piece => ({ _tag: "Gone", start: piece._tag === "Old" ? undefined : piece.start })

/**
 * Makes a piece begin at `position`; its place in the list, right behind the visible piece before it. Behind the end for
 * the text's end.
 */
const cut = (pieces: Array<Piece>, position: number): number => {
  let at = 0
  let left = position
  for (; at < pieces.length && left > 0; at++) {
    const piece = pieces[at]!
    const length = lengthOfOne(piece)
    if (piece._tag !== "Gone" && left < length) {
      pieces.splice(at, 1, ...split(piece, left))
      return at + 1
    }
    left -= length
  }
  if (left !== 0 || !Number.isSafeInteger(position)) throw new RangeError(`position ${position} is not in the text`)
  return at
}

const split = (piece: Visible, count: number): ReadonlyArray<Piece> => {
  if (piece._tag === "Old") {
    const middle = piece.from + count
    return [
      { ...piece, to: middle },
      { ...piece, from: middle }
    ]
  }
  return [
    { ...piece, text: piece.text.slice(0, count) },
    { ...piece, start: piece.start + count, text: piece.text.slice(count) }
  ]
}

const lastUnit = (plan: Plan, piece: Visible): Unit =>
  piece._tag === "New"
    ? { prefix: plan.own, clock: piece.start + piece.text.length - 1 }
    : unit(plan, placesIn(plan, piece.to - 1).here)

/** What followed the end of `piece`, or the text's beginning, before this plan; seen or deleted. */
const rightOf = (plan: Plan, piece: Visible | undefined): Unit | null => {
  if (piece?._tag === "New") return piece.right
  const state = stateOf(plan)
  if (state === undefined) return null
  const place = piece === undefined ? firstPlace(state.document) : placesIn(plan, piece.to - 1).next
  return place === null ? null : unit(plan, place)
}

const placesIn = (plan: Plan, index: number): ReturnType<typeof placesAt> => placesAt(documentOf(plan), index)

const documentOf = (plan: Plan): TextState["document"] => {
  const state = stateOf(plan)
  if (state === undefined) throw new TypeError("a text that nobody wrote has characters")
  return state.document
}

const unit = (plan: Plan, place: Place): Unit => {
  const state = stateOf(plan)
  if (state === undefined) throw new TypeError("a text that nobody wrote has characters")
  return unitOf(state, place)
}

const rangesOf = (plan: Plan, piece: Piece): ReadonlyArray<Cbor> => {
  if (piece._tag === "Gone") return []
  if (piece._tag === "New") return [[piece.start, piece.text.length]]
  return rangesBetween(documentOf(plan), piece.from, piece.to).map((range) => {
    const { prefix, clock } = unit(plan, range)
    return prefix === plan.own ? [clock, range.length] : [hexToBytes(prefix), clock, range.length]
  })
}

const unitToCbor = (plan: Plan, named: Unit | null): Cbor => {
  if (named === null) return null
  return named.prefix === plan.own ? named.clock : [hexToBytes(named.prefix), named.clock]
}

const lengthOf = (pieces: ReadonlyArray<Piece>): number => pieces.reduce((sum, piece) => sum + lengthOfOne(piece), 0)

const lengthOfOne = (piece: Piece): number => {
  if (piece._tag === "Gone") return 0
  return piece._tag === "Old" ? piece.to - piece.from : piece.text.length
}

const textOf = (pieces: ReadonlyArray<Piece>, before: string): string =>
  pieces
    .map((piece) => {
      if (piece._tag === "Gone") return ""
      return piece._tag === "Old" ? before.slice(piece.from, piece.to) : piece.text
    })
    .join("")
