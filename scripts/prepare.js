/**
 * Builds the package after an install, or says why not.
 *
 * npm runs this twice: for the link that the examples have to the package, so that their scripts find the command, and
 * then for the package itself. A build that is newer than everything it was made from is left alone. Plain JavaScript on
 * purpose: an install without development dependencies runs it on whatever Node the machine has, which may not read
 * TypeScript.
 */
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")

const toolsMissing = ["rolldown", "typescript", "node"].filter((tool) => !existsSync(join(root, "node_modules", tool)))

const sources = () => [
  join(root, "package.json"),
  ...["src", "scripts"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(root, folder, file))
  ),
  ...readdirSync(root)
    .filter((file) => file.startsWith("tsconfig"))
    .map((file) => join(root, file))
]

const isFresh = () => {
  const stamp = join(root, "dist", ".built")
  if (!existsSync(stamp)) return false
  const builtMillis = statSync(stamp).mtimeMs
  return sources().every((file) => statSync(file).mtimeMs <= builtMillis)
}

if (toolsMissing.length > 0) {
  console.log(
    `aura: not built, for want of ${toolsMissing.join(", ")} (this install left the development dependencies out).`
  )
  console.log(
    existsSync(join(root, "dist", "index.js"))
      ? "aura: the build that lies in dist/ stays in use."
      : "aura: there is no dist/ yet: run a plain `npm ci`, or copy dist/ from a machine that built it."
  )
} else if (!isFresh()) {
  const { build } = await import("./build.ts")
  await build()
}
