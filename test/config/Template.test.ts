/** The file that people begin with, and the Schema for their editors, say what the settings are. */
import { assert, describe, it } from "@effect/vitest"
import { names } from "../../src/config/Configuration.ts"
import * as Template from "../../src/config/Template.ts"
import { reading } from "./sources.ts"

/** As much of a JSON Schema as is looked at. */
interface Node {
  readonly additionalProperties?: boolean
  readonly description?: string
  readonly properties?: Readonly<Record<string, Node>>
}

describe("the file to begin with", () => {
  it("holds as it is, and says nothing yet", async () => {
    const { effective, faults, notes } = await reading({ files: { "aura.toml": Template.toml() } })
    assert.deepStrictEqual([faults, notes], [[], []])
    assert.isTrue(effective.every(({ source }) => source === "default" || source === "not set"))
  })

  it("holds with every line taken in, and changes no default", async () => {
    const secrets = {
      "s/passphrase": "x",
      "s/url": "postgres://db/aura",
      "s/accessKeyId": "x",
      "s/secretAccessKey": "x"
    }
    const all = Template.toml()
      .replaceAll(/^# (\w+ = )/gmu, "$1")
      .replaceAll("/run/secrets/", "s/")
    const { effective, faults } = await reading({ files: { "aura.toml": all, ...secrets } })
    assert.deepStrictEqual(faults, [])
    for (const { setting, source, value } of effective) {
      if (setting.isLearned === true) continue
      assert.match(source, /aura\.toml:\d+$/u, setting.name)
      if (setting.default !== undefined) assert.deepStrictEqual(value, setting.default)
    }
  })
})

describe("the JSON Schema", () => {
  it("tells of every setting, and allows no other", () => {
    const told: Array<string> = []
    const walk = (schema: Node, prefix: string): void => {
      assert.strictEqual(schema.additionalProperties, false)
      for (const [name, property] of Object.entries(schema.properties ?? {})) {
        if (property.properties !== undefined) walk(property, `${prefix}${name}.`)
        else {
          assert.isNotEmpty(property.description ?? "")
          told.push(`${prefix}${name}`)
        }
      }
    }
    walk(JSON.parse(JSON.stringify(Template.jsonSchema())), "")
    assert.sameMembers(told, [...names])
  })
})
