/**
 * Text for people: what others wrote, made harmless for a terminal; tables, times and short names.
 *
 * Device names, reasons and values come from other devices. Control characters in them (also the invisible ones that
 * turn writing around) are shown as escapes, so nobody can move the cursor or forge a line of our output.
 */
import * as DateTime from "effect/DateTime"
import { styleText } from "node:util"

/** One line, without anything that a terminal obeys. */
export const printable = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return `\\u{${code.toString(16)}}`
  })

/** Columns as wide as their widest cell; the last one is left as it is. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)))
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("  ")
    )
    .map((line) => line.trimEnd())
    .join("\n")
}

/** Unix milliseconds as ISO 8601 in UTC, to the second. */
export const time = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis)).replace(/\.\d+Z$/u, "Z")

/** "1 entry", "2 entries". */
export const count = (amount: number, one: string, many = `${one}s`): string => `${amount} ${amount === 1 ? one : many}`

/** Only where colours are wanted: NO_COLOR, FORCE_COLOR and the kind of stream decide. */
export const strong = (text: string): string => styleText("bold", text, { stream: process.stderr })

/** A word for a shell: quoted when it needs to be. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/u.test(word)
    ? word
    : process.platform === "win32"
      ? `"${word}"`
      : `'${word.replaceAll("'", `'\\''`)}'`
