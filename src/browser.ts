/**
 * Aura in a browser: everything portable, and nothing that needs Node.
 *
 * A page imports this entry alone. `aura/server` refuses to be bundled for a browser and names this one.
 */

/** The portable part. */
export * from "./index.ts"
