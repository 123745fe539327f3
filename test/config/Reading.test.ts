/** Which source counts, that all faults are told at once and none besides, and that no secret is ever told. */
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { stringify } from "smol-toml"
import { settings, variableOf, type Setting } from "../../src/config/Configuration.ts"
import { reading, type Found } from "./sources.ts"

const planted = "pl4nted-s3cret"

const levels = ["here", "remembered", "environment", "flags"] as const
type Level = (typeof levels)[number]

/** Bad values as the sources have them: what stands in a file may be of any type, elsewhere there is text. */
const bad: Readonly<Record<Setting["kind"], { readonly inFile: ReadonlyArray<unknown>; readonly text: string }>> = {
  text: { inFile: ["", 7, true, ["a"]], text: "" },
  path: { inFile: ["", 7], text: "" },
  number: { inFile: [-1, 1.5, "80", 9 * 10 ** 15], text: "many" },
  switch: { inFile: ["yes", 1], text: "yes" },
  list: { inFile: ["a", [1], [""]], text: "x".repeat(5000) },
  tables: { inFile: ["a", [{ device: "a" }]], text: "" }
}

interface Planted {
  readonly name: string
  readonly level: Level
  readonly value: unknown
  /** What is expected to be said to be wrong. */
  readonly fault: string
}

const wrongValue = (setting: Setting): fc.Arbitrary<Planted> => {
  const inFiles = setting.name === "data" ? (["here"] as const) : (["here", "remembered"] as const)
  const level =
    setting.kind === "tables"
      ? fc.constantFrom<Level>(...inFiles)
      : fc.constantFrom<Level>(...inFiles, "environment", "flags")
  return fc.tuple(level, fc.constantFrom(...bad[setting.kind].inFile)).map(([level, inFile]) => ({
    name: setting.name,
    level,
    value:
      setting.name === "journal.url"
        ? `mysql://alice:${planted}@db/aura`
        : level === "here" || level === "remembered"
          ? setting.isSecret === true
            ? [planted]
            : inFile
          : bad[setting.kind].text,
    fault: setting.name
  }))
}

const wrongName: fc.Arbitrary<Planted> = fc
  .record({
    name: fc.constantFrom("listen.prot", "keys.pasphrase", "journal.ulr", "flow.limit", "storage.s3.bukket"),
    level: fc.constantFrom<Level>("here", "remembered", "environment"),
    value: fc.constant(planted)
  })
  .map((one) => ({ ...one, fault: one.name }))

const noSuchFile: fc.Arbitrary<Planted> = fc
  .record({
    name: fc.constantFrom("keys.passphrase_file", "journal.url_file", "storage.s3.secretAccessKey_file"),
    level: fc.constantFrom<Level>("here", "remembered", "environment"),
    value: fc.constant("no/such/file")
  })
  .map((one) => ({ ...one, fault: one.name }))

/** At most one for each setting: what a higher source replaces is not judged. */
const broken: fc.Arbitrary<ReadonlyArray<Planted>> = fc.uniqueArray(
  fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...settings).chain(wrongValue) }, wrongName, noSuchFile),
  { minLength: 1, maxLength: 8, selector: ({ name }) => name.replace("_file", "") }
)

const put = (plants: ReadonlyArray<Planted>): Found => {
  const tables: Record<"here" | "remembered", Record<string, unknown>> = { here: {}, remembered: {} }
  const texts: Record<"environment" | "flags", Record<string, string>> = { environment: {}, flags: {} }
  for (const { level, name, value } of plants) {
    if (level === "environment") texts.environment[variableOf(name)] = String(value)
    else if (level === "flags") texts.flags[name] = String(value)
    else {
      const path = name.split(".")
      let inside = tables[level]
      for (const table of path.slice(0, -1)) inside = (inside[table] ??= {}) as Record<string, unknown>
      inside[path.at(-1)!] = value
    }
  }
  const files = { "aura.toml": stringify(tables.here), ".aura/aura.toml": stringify(tables.remembered) }
  return { files, ...texts }
}

describe("a reading of the settings", () => {
  it(
    "tells of 100 broken configurations everything that is wrong, nothing else, and no secret",
    { timeout: 60_000 },
    async () => {
      const seen = new Set<string>()
      await fc.assert(
        fc.asyncProperty(broken, async (plants) => {
          const { configuration, faults, folder, said } = await reading(put(plants))
          assert.isUndefined(configuration)
          assert.deepStrictEqual(
            faults.map(({ setting }) => setting).toSorted(),
            plants.map(({ fault }) => fault).toSorted()
          )
          for (const plant of plants) {
            const fault = faults.find(({ setting }) => setting === plant.fault)!
            const where = {
              here: `${folder}/aura.toml:`,
              remembered: `${folder}/.aura/aura.toml:`,
              environment: `environment variable ${variableOf(plant.name)}`,
              flags: `--${plant.name.replace(/^.*\./u, "")}`
            }
            assert.isTrue(fault.source.startsWith(where[plant.level]), `${fault.source} is not ${plant.level}`)
            assert.isNotEmpty(fault.allowed)
            seen.add(plant.fault)
          }
          assert.notInclude(said, planted)
        }),
        { numRuns: 100, seed: 4 }
      )
      assert.isAbove(seen.size, settings.length, "every setting was broken, names and files as well")
    }
  )

  it.each<readonly [what: string, found: Found, level: string, port: number]>([
    ["nothing", {}, "default", 8443],
    ["a file", { files: { "aura.toml": "[listen]\nport = 1" } }, "aura.toml:2", 1],
    [
      "the directory's file",
      { files: { "aura.toml": "listen.port = 1", ".aura/aura.toml": "\nlisten.port = 2" } },
      ".aura/aura.toml:2",
      2
    ],
    [
      "a variable",
      { files: { ".aura/aura.toml": "listen.port = 2" }, environment: { AURA_LISTEN__PORT: "3" } },
      "AURA_LISTEN__PORT",
      3
    ],
    ["a flag", { environment: { AURA_LISTEN__PORT: "3" }, flags: { "listen.port": "4" } }, "--port", 4],
    [
      "a flag over a variable that is wrong",
      { environment: { AURA_LISTEN__PORT: "x" }, flags: { "listen.port": "4" } },
      "--port",
      4
    ]
  ])("takes %s where nothing higher says otherwise", async (_, found, level, port) => {
    const { configuration, effective, faults } = await reading(found)
    assert.deepStrictEqual(faults, [])
    assert.strictEqual(configuration?.listen.port, port)
    const shown = effective.find(({ setting }) => setting.name === "listen.port")
    assert.strictEqual(shown?.value, port)
    assert.isTrue(shown?.source.endsWith(level), shown?.source)
  })

  it.each<readonly [what: string, found: Found, secret: string | undefined, fault: string | undefined]>([
    [
      "a file that a variable names",
      { files: { s: "from-file\n" }, environment: { AURA_KEYS__PASSPHRASE_FILE: "s" } },
      "from-file",
      undefined
    ],
    [
      "a file that the directory's file names, from there",
      { files: { ".aura/s": "from-file", ".aura/aura.toml": 'keys.passphrase_file = "s"' } },
      "from-file",
      undefined
    ],
    [
      "a variable over a file that a file names",
      { files: { "aura.toml": 'keys.passphrase_file = "none"' }, environment: { AURA_KEYS__PASSPHRASE: "plain" } },
      "plain",
      undefined
    ],
    [
      "neither of two that one source gives",
      { files: { s: "x" }, environment: { AURA_KEYS__PASSPHRASE: "plain", AURA_KEYS__PASSPHRASE_FILE: "s" } },
      undefined,
      "keys.passphrase"
    ],
    [
      "no empty file",
      { files: { s: "\n" }, environment: { AURA_KEYS__PASSPHRASE_FILE: "s" } },
      undefined,
      "keys.passphrase_file"
    ],
    [
      "no file that is too large",
      { files: { s: "x".repeat(65_537) }, environment: { AURA_KEYS__PASSPHRASE_FILE: "s" } },
      undefined,
      "keys.passphrase_file"
    ]
  ])("takes a secret from %s", async (_, found, secret, fault) => {
    const { configuration, faults } = await reading(found)
    assert.deepStrictEqual(
      faults.map(({ setting }) => setting),
      fault === undefined ? [] : [fault]
    )
    const passphrase = configuration?.keys.passphrase
    assert.strictEqual(passphrase === undefined ? undefined : Redacted.value(passphrase), secret)
  })

  it("understands DATABASE_URL and STORAGE_PATH, and says when it leaves them alone", async () => {
    const url = `postgres://alice:${planted}@db.example.org/aura`
    const taken = await reading({ environment: { DATABASE_URL: url, STORAGE_PATH: "there" } })
    assert.strictEqual(Redacted.value(taken.configuration!.journal.url!), url)
    assert.strictEqual(taken.data, `${taken.folder}/there`)
    assert.deepStrictEqual(taken.notes, [
      "journal.url is set and not used: journal.kind is sqlite, a file in the data directory"
    ])
    const both = await reading({
      environment: { DATABASE_URL: url, AURA_JOURNAL__URL: `${url}2`, STORAGE_PATH: "there", AURA_DATA: "here" }
    })
    assert.strictEqual(Redacted.value(both.configuration!.journal.url!), `${url}2`)
    assert.strictEqual(both.data, `${both.folder}/here`)
    assert.include(
      both.notes,
      "DATABASE_URL and environment variable AURA_JOURNAL__URL are both set: the latter counts"
    )
    assert.include(both.notes, "STORAGE_PATH and environment variable AURA_DATA are both set: the latter counts")
    const foreign = await reading({ environment: { DATABASE_URL: `mysql://alice:${planted}@db/aura` } })
    assert.deepStrictEqual(foreign.faults, [])
    assert.deepStrictEqual(foreign.notes, ["DATABASE_URL names no database that Aura can use, and is left alone"])
    const fromFile = await reading({ files: { url }, environment: { DATABASE_URL_FILE: "url" } })
    assert.strictEqual(Redacted.value(fromFile.configuration!.journal.url!), url)
    for (const { said } of [taken, both, foreign, fromFile]) assert.notInclude(said, planted)
  })

  it.each([
    ["aura-0", true],
    ["a".repeat(50), true],
    ["ä".repeat(26), false],
    ['a"b', false],
    ["", false]
  ])("takes %j for the owner of a journal: %s", async (owner, isGood) => {
    const { faults } = await reading({ environment: { AURA_JOURNAL__OWNER: owner } })
    assert.deepStrictEqual(
      faults.map(({ setting }) => setting),
      isGood ? [] : ["journal.owner"]
    )
  })

  it("knows the name that was meant, and a variable with or without the underscores of its words", async () => {
    const { faults } = await reading({ files: { "aura.toml": "[listen]\nprot = 1\n[jurnal]\nkind = 1\n[zzzzzz]\n" } })
    assert.deepStrictEqual(
      faults.map(({ nearest, setting }) => [setting, nearest]),
      [
        ["listen.prot", "listen.port"],
        ["jurnal", undefined],
        ["zzzzzz", undefined]
      ]
    )
    for (const variable of ["AURA_JOURNAL__POOL_MAX", "AURA_JOURNAL__POOLMAX"]) {
      const { configuration } = await reading({ environment: { [variable]: "7" } })
      assert.strictEqual(configuration?.journal.poolMax, 7)
    }
  })

  it("has tables within tables, tells what a bucket still needs, and what nobody asks for", async () => {
    const table = '[storage]\nkind = "s3"\n[storage.s3]\nbucket = "blobs"\nsecretAccessKey_file = "s"\n'
    const missing = await reading({ files: { "aura.toml": table, s: planted } })
    assert.deepStrictEqual(
      missing.faults.map(({ setting, source }) => [setting, source.slice(missing.folder.length)]),
      ["storage.s3.endpoint", "storage.s3.accessKeyId"].map((name) => [name, "/aura.toml:2"])
    )
    const environment = { AURA_STORAGE__S3__ENDPOINT: "https://s3.example.org", AURA_STORAGE__S3__ACCESS_KEY_ID: "id" }
    const whole = await reading({ files: { "aura.toml": table, s: planted }, environment })
    assert.deepStrictEqual([whole.faults, whole.notes], [[], []])
    assert.strictEqual(Redacted.value(whole.configuration!.storage.s3.secretAccessKey!), planted)
    assert.strictEqual(whole.configuration!.storage.s3.bucket, "blobs")
    const unused = await reading({ environment })
    assert.lengthOf(unused.notes, 2)
    for (const { said } of [missing, whole, unused]) assert.notInclude(said, planted)
  })

  it.each([
    ["https://s3.example.org", true],
    ["http://127.0.0.1:9000", true],
    ["https://s3.example.org/path", false],
    ["https://alice:secret@s3.example.org", false],
    ["ftp://s3.example.org", false],
    ["s3.example.org", false]
  ])("takes %j for a store's endpoint: %s", async (endpoint, isGood) => {
    const { faults } = await reading({ environment: { AURA_STORAGE__S3__ENDPOINT: endpoint } })
    assert.lengthOf(faults, isGood ? 0 : 1)
  })

  it("leaves names of JavaScript's own alone, and says where a file is no TOML without quoting it", async () => {
    const own = await reading({ files: { "aura.toml": "constructor = 1\n__proto__ = 2\n[listen]\ntoString = 3\n" } })
    assert.deepStrictEqual(
      own.faults.map(({ setting }) => setting),
      ["constructor", "__proto__", "listen.toString"]
    )
    for (const text of [
      `a = ${planted}`,
      `a = "${planted}`,
      planted,
      `a.${planted} = 1\na = 2`,
      `a = "\\q${planted}"`
    ]) {
      const { faults, folder, said } = await reading({ files: { "aura.toml": `\n${text}` } })
      assert.lengthOf(faults, 1)
      assert.match(faults[0]!.what!, /^not TOML: /u)
      assert.match(faults[0]!.source.slice(folder.length), /^\/aura\.toml:\d$/u)
      assert.notInclude(said, planted)
    }
  })
})

describe("production mode", () => {
  const on = { AURA_PRODUCTION: "true" }
  const sound = { ...on, AURA_KEYS__PASSPHRASE: planted }
  it.each<readonly [what: string, found: Found, refused: ReadonlyArray<string>]>([
    ["a passphrase from the environment", { environment: sound }, []],
    [
      "a passphrase from a file of its own",
      { files: { s: planted, "aura.toml": 'production = true\nkeys.passphrase_file = "s"' } },
      []
    ],
    ["no passphrase, when it is off", { files: { "aura.toml": "listen.http = 80" } }, []],
    ["a passphrase that is wrong already", { files: { "aura.toml": 'keys.passphrase = ""' }, environment: on }, []],
    ["no passphrase", { environment: on }, ["keys.passphrase"]],
    [
      "a passphrase that stands in the settings",
      { files: { "aura.toml": `keys.passphrase = "${planted}"` }, environment: on },
      ["keys.passphrase"]
    ],
    ["a plain port", { environment: sound, flags: { "listen.http": "8080" } }, ["listen.http"]],
    [
      "a database without TLS",
      { environment: { ...sound, DATABASE_URL: `postgres://a:${planted}@db/aura` } },
      ["journal.url"]
    ],
    [
      "a database whose certificate is not checked",
      { environment: { ...sound, DATABASE_URL: "postgres://db/aura?sslmode=require" } },
      ["journal.url"]
    ],
    [
      "a database that is checked",
      { environment: { ...sound, DATABASE_URL: "postgres://db/aura?sslmode=verify-full" } },
      []
    ],
    [
      "a database on this machine",
      { environment: { ...sound, DATABASE_URL: "postgres:///aura?host=/run/postgresql" } },
      []
    ],
    [
      "a bucket behind plain HTTP",
      { environment: { ...sound, AURA_STORAGE__S3__ENDPOINT: "http://s3.example.org" } },
      ["storage.s3.endpoint"]
    ],
    ["a bucket behind TLS", { environment: { ...sound, AURA_STORAGE__S3__ENDPOINT: "https://s3.example.org" } }, []],
    [
      "a bucket on this machine",
      { environment: { ...sound, AURA_STORAGE__S3__ENDPOINT: "http://127.0.0.1:9000" } },
      []
    ],
    [
      "a bucket's secret that stands in the settings",
      { environment: sound, files: { "aura.toml": `[storage.s3]\nsecretAccessKey = "${planted}"` } },
      ["storage.s3.secretAccessKey"]
    ],
    [
      "all of it at once",
      { environment: { ...on, DATABASE_URL: "postgres://db/aura", AURA_LISTEN__HTTP: "0" } },
      ["listen.http", "keys.passphrase", "journal.url"]
    ]
  ])("has its say about %s", async (_, found, expected) => {
    const { faults, refused, said } = await reading(found)
    for (const { setting } of faults) assert.notInclude(expected, setting)
    assert.deepStrictEqual(
      refused.map(({ setting }) => setting),
      [...expected]
    )
    for (const { allowed, source, what } of refused) assert.isNotEmpty(`${allowed}${source}${what}`)
    assert.notInclude(said, planted)
  })
})
