/**
 * Aura on Node: everything portable, and the handlers that need files, sockets and processes.
 *
 * In a browser bundle this entry is `refusal.ts`, which names `aura/browser` instead.
 */

/** The portable part. */
export * from "./index.ts"
