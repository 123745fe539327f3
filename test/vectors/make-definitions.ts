/**
 * Wrote `definitions.json`, once: `node test/vectors/make-definitions.ts > test/vectors/definitions.json`.
 *
 * Entries name definitions by the hash of these bytes: a test that fails against them is right, and the code is wrong.
 * Running this again is for a new version of the format only, under a new name of its file.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Result from "effect/Result"
import * as Definition from "../../src/trust/Definition.ts"
import { full, plain } from "../trust/sources.ts"

const vectorOf = (source: Definition.Source) => {
  const { bytes, id } = Result.getOrThrow(Definition.make(source))
  return { bytes: bytesToHex(bytes), id }
}

const about = "Definitions of applications, versions 1 and 2. Made once by make-definitions.ts; bytes are hexadecimal."
process.stdout.write(`${JSON.stringify({ about, plain: vectorOf(plain), full: vectorOf(full) }, null, 2)}\n`)
