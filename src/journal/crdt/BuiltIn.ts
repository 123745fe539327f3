/**
 * The kinds of this folder, registered; Text is not among them (text.ts).
 *
 * Code that meets field types from outside looks kinds up here rather than in Kinds.ts, so that no bundler can leave
 * the registration out.
 */
import { blob } from "./BlobRegister.ts"
import { gCounter, pnCounter } from "./Counter.ts"
import { maxRegister, minRegister } from "./Extreme.ts"
import { gSet } from "./GSet.ts"
import * as Kinds from "./Kinds.ts"
import { lwwMap } from "./LWWMap.ts"
import { lwwRegister } from "./LWWRegister.ts"
import { mvRegister } from "./MVRegister.ts"
import { orMap } from "./ORMap.ts"
import { orSet } from "./ORSet.ts"

const builtIn = [
  gCounter,
  pnCounter,
  gSet,
  orSet,
  lwwRegister,
  mvRegister,
  lwwMap,
  orMap,
  maxRegister,
  minRegister,
  blob
] as const

for (const crdt of builtIn) Kinds.register(crdt)

/** As in Kinds.ts. */
export const { find, get } = Kinds
