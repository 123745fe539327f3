/**
 * What `aura/server` is in a browser: a refusal that names the right import.
 *
 * The `browser` condition of package.json leads bundlers here. None of the server's names is exported, so importing one
 * already fails while bundling; whatever gets past that fails at its first line. (`"browser": null` in the exports
 * would stop esbuild but not Vite.)
 */

/** Exported because bundlers let anything be imported from a module without exports. */
export const refusal = 'aura/server runs on Node only: in a browser import from "aura/browser" instead of "aura/server"'

throw new Error(refusal)
