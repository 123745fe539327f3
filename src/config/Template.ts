/** What people and editors are told of `aura.toml`: the file to begin with, and its JSON Schema. */
import * as Schema from "effect/Schema"
import { stringify } from "smol-toml"
import { Configuration, sections, settings, tablesOf, variableOf, type Setting } from "./Configuration.ts"

/** A file with every setting that people set, commented out, with what it is when it is left out. */
export const toml = (): string => {
  const parts = ["", ...sections].map((section) => {
    const shown = settings.filter((one) => one.section === section && one.isLearned !== true)
    return [...(section === "" ? [] : [`[${section}]`]), ...shown.map(paragraph)].join("\n")
  })
  return `${[opening, ...parts].join("\n\n")}\n`
}

const opening = [
  "# The settings of Aura. What stands behind # is what counts when it is left out, or an example.",
  "# The environment counts over this file (listen.port is AURA_LISTEN__PORT), flags count over both."
].join("\n")

const paragraph = (setting: Setting): string => {
  const { about, allowed, default: missing, example, isSecret, key, name, otherwise, production } = setting
  const value = missing === undefined ? example : missing
  return [
    `# ${about}.`,
    `# Allowed: ${allowed}.${otherwise === undefined ? "" : ` Left out: ${otherwise}.`}`,
    ...(production === undefined ? [] : [`# In production: ${production.allowed}.`]),
    ...(isSecret === true ? [`# A secret: better in ${variableOf(name)}, or in a file of its own:`] : []),
    isSecret === true
      ? `# ${stringify({ [`${key}_file`]: `/run/secrets/${key}` }).trim()}`
      : `# ${stringify({ [key]: value }).trim()}`,
    ""
  ].join("\n")
}

type Table = { readonly [part: string]: Schema.Json }

/** JSON Schema of the file, for editors that complete and check TOML. */
export const jsonSchema = (): Table => {
  const root = tableOf(Schema.toJsonSchemaDocument(Configuration, { onExcessProperty: "error" }).schema)
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "aura.toml",
    ...tableWith("", root)
  }
}

/** A table in which every setting is told of, and none must be, with the sections in it. */
const tableWith = (section: string, table: Table): Table => {
  const depth = tablesOf(section).length
  const properties = tableOf(table["properties"])
  const told = settings
    .filter((one) => one.section === section)
    .flatMap((one) => [
      [one.key, { ...tableOf(properties[one.key]), ...aboutOf(one) }] as const,
      ...(one.isSecret === true ? [[`${one.key}_file`, fileOf(one)] as const] : [])
    ])
  const inner = sections
    .filter((one) => tablesOf(one).length === depth + 1 && (depth === 0 || one.startsWith(`${section}.`)))
    .map((one) => [tablesOf(one)[depth]!, one] as const)
    .map(([key, one]) => [key, tableWith(one, tableOf(properties[key]))] as const)
  return { ...table, properties: Object.fromEntries([...told, ...inner]), required: [] }
}

const aboutOf = ({ about, default: missing }: Setting): Table => ({
  description: about,
  ...(missing === undefined ? {} : { default: missing })
})

const fileOf = ({ name }: Setting): Table => ({
  type: "string",
  minLength: 1,
  description: `A file that holds ${name}`
})

const tableOf = (value: unknown): Table => (Schema.is(Schema.Record(Schema.String, Schema.Json))(value) ? value : {})
