/**
 * Runs the TypeScript in the documents: every block that opens with "```ts" is type-checked like a stranger's file and
 * then run on Node, alone, as it stands there. A block that opens with "```ts no-run" needs a world that is not here (a
 * server, a browser) and is only type-checked.
 *
 * Blocks import `aura` by name and get the sources. They are written under `dist/`, where the package's own name leads
 * to the package, and are left there for whoever wants to look at one that failed.
 */
import { spawnSync } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { tool } from "./tools.ts"

const root = resolve(import.meta.dirname, "..")
const folder = join(root, "dist", "examples")

interface Block {
  /** Where it stands: the document and the line of its first line. */
  readonly where: string
  readonly file: string
  readonly text: string
  readonly runs: boolean
}

const blocksOf = (document: string): ReadonlyArray<Block> => {
  const text = readFileSync(join(root, document), "utf8")
  return [...text.matchAll(/^```ts( no-run)?\n([\s\S]*?)^```$/gmu)].map((match) => {
    const line = text.slice(0, match.index).split("\n").length + 1
    const name = `${document.replaceAll(/[^\w]+/gu, "-")}-line-${line}.ts`
    return { where: `${document}:${line}`, file: join(folder, name), text: match[2]!, runs: match[1] === undefined }
  })
}

const node = (...parameters: ReadonlyArray<string>): string | undefined => {
  const { status, stdout, stderr } = spawnSync(process.execPath, parameters, {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000
  })
  return status === 0 ? undefined : `${stdout}${stderr}`.trimEnd()
}

const documents = globSync("**/*.md", { cwd: root, exclude: ["**/node_modules", "dist"] })
const blocks = documents.flatMap(blocksOf)

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
for (const { file, text } of blocks) writeFileSync(file, text)
writeFileSync(
  join(folder, "tsconfig.json"),
  JSON.stringify({
    extends: "../../tsconfig.json",
    compilerOptions: { rootDir: "../.." },
    include: ["*.ts"],
    exclude: []
  })
)

const complaints = [
  ...(blocks.length === 0 ? [] : [node(tool("tsc"), "-p", folder)]),
  ...blocks
    .filter(({ runs }) => runs)
    .map(({ where, file }) => {
      const complaint = node("--conditions=aura-source", file)
      return complaint === undefined ? undefined : `the example at ${where} fails:\n${complaint}`
    })
].filter((complaint) => complaint !== undefined)

for (const complaint of complaints) console.error(complaint)
const ran = blocks.filter(({ runs }) => runs).length
console.log(`${blocks.length} examples of ${documents.length} documents type-checked, ${ran} of them run`)
if (complaints.length > 0) process.exitCode = 1
