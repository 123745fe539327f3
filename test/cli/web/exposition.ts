/** A reader of Prometheus' text format 0.0.4, as strict as the format's description; throws with the line it stops at. */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string | undefined
  readonly samples: ReadonlyArray<Sample>
}

const name = "[a-zA-Z_:][a-zA-Z0-9_:]*"
const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"'
const sampleForm = new RegExp(
  `^(${name})(?:\\{(${label}(?:,${label})*)?\\})? ([+-]?(?:[0-9.]+(?:e[+-]?[0-9]+)?|Inf)|NaN)$`,
  "u"
)

export const parse = (text: string): ReadonlyArray<Family> => {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line does not end")
  const families = new Map<string, { type: string; help: string | undefined; samples: Array<Sample> }>()
  let current = ""
  for (const line of text.split("\n").slice(0, -1)) {
    const meta = new RegExp(`^# (HELP|TYPE) (${name}) (.*)$`, "u").exec(line)
    if (meta !== null) {
      const [, kind, family = "", rest = ""] = meta
      if (family !== current && families.has(family)) throw new Error(`${line}: the family stands in two places`)
      current = family
      const known = families.get(family) ?? { type: "untyped", help: undefined, samples: [] }
      if (kind === "TYPE" && !["counter", "gauge", "histogram", "summary", "untyped"].includes(rest))
        throw new Error(line)
      families.set(family, { ...known, ...(kind === "TYPE" ? { type: rest } : { help: rest }) })
      continue
    }
    const [, sample = "", labelText = "", value = ""] = sampleForm.exec(line) ?? []
    if (sample === "") throw new Error(`no sample: ${line}`)
    const family = families.get(current)
    const suffixes = family?.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""]
    if (family === undefined || !suffixes.some((suffix) => sample === current + suffix))
      throw new Error(`${line}: not of ${current}`)
    const labels = Object.fromEntries(
      [...labelText.matchAll(/([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"/gu)].map(([, key, text]) => [key ?? "", text ?? ""])
    )
    if (
      family.samples.some((other) => other.name === sample && JSON.stringify(other.labels) === JSON.stringify(labels))
    )
      throw new Error(`twice: ${line}`)
    family.samples.push({ name: sample, labels, value: Number(value.replace("Inf", "Infinity")) })
  }
  return [...families].map(([name, family]) => ({ name, ...family }))
}

/** What is wrong with a histogram: buckets that fall, none at infinity, or a count that differs from it. */
export const histogramErrors = ({ name, samples }: Family): ReadonlyArray<string> => {
  const bySeries = new Map<string, Array<Sample>>()
  for (const sample of samples) {
    const { le: _, ...rest } = sample.labels
    const key = JSON.stringify(rest)
    bySeries.set(key, [...(bySeries.get(key) ?? []), sample])
  }
  return [...bySeries].flatMap(([series, own]) => {
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`)
    const values = buckets.map(({ value }) => value)
    const last = buckets.at(-1)
    const count = own.find((sample) => sample.name === `${name}_count`)
    return [
      ...(last?.labels["le"] === "+Inf" ? [] : [`${name}${series}: no bucket at infinity`]),
      ...(values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0))
        ? []
        : [`${name}${series}: falls`]),
      ...(last?.value === count?.value ? [] : [`${name}${series}: its count is another`])
    ]
  })
}
