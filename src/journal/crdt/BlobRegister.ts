/**
 * Blob: the name of a blob (journal/Blob.ts), or none; of concurrent settings the last in stamp order wins.
 *
 *     ["set", field, {hash, size, type}]      ["set", field, null]
 *
 * An LWWRegister but for its values, of which every device checks the form without a value type, and which every device
 * can find: what no state names may be swept. Whether the blob exists anywhere, no change can prove.
 */
import type { Cbor } from "../Cbor.ts"
import { refFault, type BlobRef } from "../Blob.ts"
import { invalid, touch, unknownMutator, type Crdt } from "./Crdt.ts"
import { lwwRegister, type LWWRegisterState } from "./LWWRegister.ts"

export const blob: Crdt<LWWRegisterState, Cbor | undefined> = {
  ...lwwRegister,
  kind: "Blob",
  parameters: "none",
  inspect: (_, change, at) => {
    if (change[0] !== "set" || change.length !== at + 1) return unknownMutator(change, `["set", …, {hash, size, type}]`)
    const wrong = change[at] === null ? undefined : refFault(change[at])
    return wrong === undefined ? touch(change, at) : invalid(wrong)
  },
  blobs: ({ stamp, value }) => (stamp === undefined || !isRef(value) ? [] : [value])
}

/** What a checkpoint brought was written by us, and is looked at all the same. */
const isRef = (value: unknown): value is BlobRef => refFault(value) === undefined
