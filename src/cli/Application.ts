/**
 * Loads an application: a TypeScript or JavaScript file that exports `app = App.make(…)`.
 *
 * Node strips the types and refuses what is more than types; each of its refusals becomes `ApplicationInvalid` with the
 * fix. Whatever version of `aura` the file would find from where it lies, it gets the one that runs here, so that there
 * is one copy of everything in a process. The file's code runs with all rights of this process: load what you trust.
 */
import * as Effect from "effect/Effect"
import { stat } from "node:fs/promises"
import { registerHooks } from "node:module"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import * as App from "../runtime/App.ts"
import * as Problem from "./Problem.ts"

export const load = Effect.fnUntraced(function* (file: string) {
  const found = yield* Effect.promise(() => stat(file).catch(() => undefined))
  if (found?.isFile() !== true) {
    return yield* invalid(file, {
      what: found === undefined ? `there is no file ${file}` : `${file} is not a file`,
      do: 'name the application\'s file: aura serve path/to/app.ts, or app = "…" in aura.toml'
    })
  }
  resolveAuraHere()
  const loaded: { readonly app?: unknown } = yield* Effect.tryPromise({
    try: () => import(pathToFileURL(file).href),
    catch: (cause) => Problem.make("ApplicationInvalid", { where: file, ...explain(cause, file) })
  })
  if (App.isApp(loaded.app)) return loaded.app
  const names = Object.keys(loaded)
  return yield* invalid(file, {
    what:
      loaded.app === undefined
        ? `${path.basename(file)} exports no \`app\`${names.length === 0 ? "" : `, only ${names.join(", ")}`}`
        : `what ${path.basename(file)} exports as \`app\` was not made by App.make`,
    allowed: 'export const app = App.make("name", {…})',
    do: "export the application under the name `app`"
  })
})

const invalid = (file: string, parts: Problem.Parts): Problem.Problem =>
  Problem.make("ApplicationInvalid", { where: file, ...parts })

/** From its sources Aura resolves to its sources, from its build to its build. */
const resolveAuraHere = (): void => {
  if (isResolving) return
  isResolving = true
  registerHooks({
    resolve: (specifier, context, next) => {
      const part = /^aura(?:\/([a-z]+))?$/u.exec(specifier)
      if (part === null) return next(specifier, context)
      if (!import.meta.url.endsWith(".ts")) return next(specifier, { ...context, parentURL: import.meta.url })
      return { url: new URL(`../${part[1] ?? "index"}.ts`, import.meta.url).href, shortCircuit: true }
    }
  })
}

let isResolving = false

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : ""

const typeOnly = "Node takes types away and compiles nothing"

const explain = (cause: unknown, file: string): Problem.Parts => {
  const said = cause instanceof Error ? cause.message : String(cause)
  const what = `${path.basename(file)} does not load: ${said.split("\n")[0] ?? ""}`
  switch (codeOf(cause)) {
    case "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX":
      return {
        what,
        allowed: `TypeScript that is types only: ${typeOnly}`,
        do: "replace enum by an object `as const`, namespace by a module, parameter properties by fields"
      }
    case "ERR_INVALID_TYPESCRIPT_SYNTAX":
      return { what, do: "correct the syntax; your editor or `tsc --noEmit` shows where" }
    case "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING":
      return {
        what,
        allowed: "TypeScript outside node_modules, JavaScript inside",
        do: "import the package's built JavaScript, or move the file out of node_modules"
      }
    case "ERR_UNKNOWN_FILE_EXTENSION":
      return { what, allowed: ".ts, .mts, .js, .mjs", do: "rename the file (.tsx has to be built first)" }
    case "ERR_MODULE_NOT_FOUND":
    case "ERR_UNSUPPORTED_DIR_IMPORT":
      return {
        what,
        do: 'write imports of your own files with their extension ("./tasks.ts"), and install packages with npm'
      }
    case "ERR_PACKAGE_PATH_NOT_EXPORTED":
      return { what, do: "import what the package exports: its package.json lists it" }
  }
  if (cause instanceof SyntaxError && said.includes("does not provide an export named"))
    return { what, do: "if it is a type, write `import type`; otherwise correct the name" }
  if (cause instanceof SyntaxError) return { what, do: "correct the syntax; `node --check` shows where" }
  if (/require is not defined|module is not defined|exports is not defined/u.test(said))
    return { what, allowed: "ECMAScript modules", do: "use import and export" }
  return { what, do: "correct what the application does when it is loaded; nothing was changed" }
}
