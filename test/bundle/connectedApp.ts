/**
 * The whole application with what every page needs besides and no handler has yet: the device channel for any transport,
 * and keys and signatures without the platform's cryptography. A transport and a store of the page's own come on top.
 */
import { Aura } from "aura/browser"
import { app } from "../../examples/tasks/app.ts"
import * as MemoryKeys from "../../src/handlers/memory/MemoryKeys.ts"
import * as NobleVerifier from "../../src/handlers/memory/NobleVerifier.ts"
import * as SecureConnection from "../../src/handlers/shared/SecureConnection.ts"
import { nobleSuite } from "../../src/identity/Noise.ts"

export const start = (effects: Parameters<typeof Aura.open>[0]["effects"]) => Aura.open({ app, effects })

Object.assign(globalThis, {
  start,
  connect: SecureConnection.open,
  suite: nobleSuite,
  keys: MemoryKeys.layer,
  verifier: NobleVerifier.layer
})
