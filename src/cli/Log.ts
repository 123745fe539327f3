/**
 * The log, on stderr: lines of JSON when nobody is looking, lines for people on a terminal.
 *
 * Only fields of the list below are written; anything else that code hands to a log is dropped, so a secret that slips
 * in goes nowhere. Control characters are escaped in both forms: what peers send can't forge lines. Security events have
 * `"event": "security"`.
 */
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { LogLevel } from "effect/LogLevel"
import * as References from "effect/References"
import { styleText } from "node:util"
import type { Settings } from "./Settings.ts"
import { printable, time } from "./Text.ts"

/** Fields that may be written, from annotations and from objects among a message's parts. */
const fields: ReadonlySet<string> = new Set([
  "address",
  "app",
  "device",
  "entry",
  "event",
  "feed",
  "from",
  "method",
  "millis",
  "name",
  "operation_id",
  "operation_type",
  "path",
  "peer",
  "reason",
  "seq",
  "service",
  "space",
  "status",
  "trace_id",
  "unsaid",
  "why"
])

const levels: Readonly<Record<Settings["log"], LogLevel>> = {
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error"
}

export const layer = (level: Settings["log"]) =>
  Layer.mergeAll(
    Logger.layer([logger(process.stderr.isTTY === true)]),
    Layer.succeed(References.MinimumLogLevel, levels[level])
  )

const logger = (isTerminal: boolean) =>
  Logger.make<unknown, void>(({ cause, date, fiber, logLevel, message }) => {
    const parts = Array.isArray(message) ? message : [message]
    const record: Record<string, string | number | boolean> = {}
    for (const part of [fiber.getRef(References.CurrentLogAnnotations), ...parts]) keepFields(record, part)
    const said = parts.filter((part) => typeof part !== "object" || part === null || part instanceof Error)
    const texts = said.map((part) => (part instanceof Error ? part.message : String(part)))
    if (cause.reasons.length > 0) texts.push(Cause.pretty(cause))
    const text = texts.join(": ")
    if (text.startsWith("security event")) record["event"] = "security"
    process.stderr.write(`${(isTerminal ? lineForPeople : lineOfJson)(date.getTime(), logLevel, text, record)}\n`)
  })

type Fields = Readonly<Record<string, string | number | boolean>>

const keepFields = (record: Record<string, string | number | boolean>, part: unknown): void => {
  if (typeof part !== "object" || part === null || part instanceof Error) return
  for (const [key, value] of Object.entries(part)) {
    if (!fields.has(key)) continue
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") record[key] = value
  }
}

const lineOfJson = (millis: number, level: LogLevel, text: string, record: Fields): string => {
  const line = JSON.stringify({ time: time(millis), level: level.toLowerCase(), message: text, ...record })
  // JSON escapes line ends already; the rest of what can't be seen is escaped the way JSON does it
  return line.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, "0")}`
    ).join("")
  )
}

const lineForPeople = (millis: number, level: LogLevel, text: string, record: Fields): string => {
  const shown = Object.entries(record).map(
    ([key, value]) => `${key}=${typeof value === "string" ? short(value) : value}`
  )
  const colour = level === "Error" || level === "Fatal" ? "red" : level === "Warn" ? "yellow" : "dim"
  const stamp = styleText(colour, `${time(millis).slice(11, 19)} ${level.toLowerCase()}`, { stream: process.stderr })
  return [stamp, printable(text), ...shown.map(printable)].join(" ")
}

/** Ids are long; ten digits tell them apart for a person. */
const short = (value: string): string => (/^[0-9a-f]{64}$/u.test(value) ? value.slice(0, 10) : value)
