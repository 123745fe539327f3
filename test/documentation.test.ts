/**
 * Checks of the documents: links inside the repository lead somewhere, the map stays short enough to be read, and the
 * list of changes has the form that people expect.
 */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")

const architectureLinesMax = 200

const documents: ReadonlyArray<string> = ["", "docs", "examples", "bench", "test"].flatMap((folder) => {
  if (!existsSync(join(root, folder))) return []
  const files = readdirSync(join(root, folder), { recursive: folder !== "", encoding: "utf8" })
  return files
    .map((file) => join(folder, file).replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".md") && !file.includes("node_modules"))
})

const read = (file: string): string => readFileSync(join(root, file), "utf8")

const withoutCode = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gmu, "").replaceAll(/`[^`\n]*`/gu, "")

/** The name a heading can be linked by: lower case, punctuation dropped, spaces to hyphens. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/gu, "-")

const anchors = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/^#{1,6} +(.+)$/gmu)].map(([, heading]) => anchorOf(heading!)))

/** Links of a document that lead nowhere. Other sites are not visited. */
const deadLinks = (file: string, text: string, textOf: (file: string) => string | undefined): ReadonlyArray<string> => {
  const dead: Array<string> = []
  for (const [, target] of withoutCode(text).matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/gu)) {
    if (/^[a-z][a-z+.-]*:/u.test(target!)) continue
    const [path = "", anchor] = decodeURI(target!).split("#")
    const found = path === "" ? text : textOf(join(dirname(file), path).replaceAll("\\", "/"))
    const leads = found !== undefined && (anchor === undefined || !/\.md$|^$/u.test(path) || anchors(found).has(anchor))
    if (!leads) dead.push(`${file}: ${target} leads nowhere`)
  }
  return dead
}

/** What stands in backquotes and looks like a path from the root of the repository. */
const pathsNamed = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/`((?:src|test|scripts|bench|examples|\.ci)\/[\w./-]+)`/gu)].map(([, path]) => path!)

const textIn = (file: string): string | undefined => {
  if (!existsSync(join(root, file))) return undefined
  return file.endsWith(".md") ? read(file) : ""
}

describe("the documents", () => {
  it("link to what exists", () => {
    assert.isNotEmpty(documents)
    assert.deepStrictEqual(
      documents.flatMap((file) => deadLinks(file, read(file), textIn)),
      []
    )
  })

  it("name only files and folders that exist", () => {
    const missing = documents.flatMap((file) =>
      pathsNamed(read(file))
        .filter((path) => !existsSync(join(root, path)))
        .map((path) => `${file}: there is no ${path}`)
    )
    assert.deepStrictEqual(missing, [])
  })

  it("keep the map of the code short enough to be read", () => {
    for (const file of documents.filter((document) => document === "ARCHITECTURE.md")) {
      assert.isAtMost(read(file).trimEnd().split("\n").length, architectureLinesMax, file)
    }
  })

  it("list what changed, newest first, what is unreleased on top", () => {
    const versions = [...read("CHANGELOG.md").matchAll(/^## (.+)$/gmu)].map(([, heading]) => heading!)
    assert.strictEqual(versions[0], "[Unreleased]")
    for (const version of versions.slice(1)) assert.match(version, /^\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}$/u)
  })

  it("are found out when they name a path", () => {
    assert.deepStrictEqual(pathsNamed("see `src/index.ts`, `test/vectors/` and `Frontier.join(a, b)`"), [
      "src/index.ts",
      "test/vectors/"
    ])
  })

  it("are found out when a link is dead", () => {
    const text = [
      "# Title, first!",
      "[a](B.md) [b](B.md#part-one) [c](#title-first) [d](https://example.org/x) `[e](no.md)`",
      "[f](C.md) [g](B.md#part-two) [h](#nothing)"
    ].join("\n")
    const others: Record<string, string> = { "B.md": "## Part one" }
    assert.deepStrictEqual(
      deadLinks("A.md", text, (file) => others[file]),
      ["A.md: C.md leads nowhere", "A.md: B.md#part-two leads nowhere", "A.md: #nothing leads nowhere"]
    )
  })
})
