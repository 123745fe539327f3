/**
 * May this device do that? One answer for a local request, for another device's, and for whoever asks beforehand.
 *
 * Who asks was found out before (a channel's or a request's signature); here it is a DeviceId and nothing else. What it
 * may follows from one snapshot of the space's authority, capabilities and trust alike, and the answer names that
 * snapshot: equal snapshots give equal answers on every device. An answer is no permission to write: whoever acts on it
 * asks again in the turn that writes (`recheck`), as the operations of this runtime do by themselves
 * (runtime/Planning.ts). Operation types that the definition does not have are denied (`UnknownOperation`).
 */
import type { DeviceId } from "../identity/Id.ts"
import * as Authority from "../trust/Authority.ts"
import * as Decision from "../trust/Decision.ts"
import type { Definition } from "../trust/Definition.ts"
import type { Ledger } from "./Ledger.ts"

/** What is asked. `resource`: what the operation is about (`tasks/7`, `tasks/*`), where it names a resource. */
export interface Question {
  readonly device: DeviceId
  /** Type of the operation, as in facts: `tasks.add`. */
  readonly operation: string
  readonly resource?: string | undefined
}

export interface Checked extends Question {
  readonly decision: Decision.Decision
  /** Digest of all that the decision rests on (`Authority.digest`). */
  readonly snapshot: string
  /** Entry time for which it was asked. */
  readonly time: number
}

/** As this replica knows things now. `time` = entry time: windows and hours are looked at as of then. */
export const check = (
  { authority }: Pick<Ledger, "authority">,
  definition: Definition,
  { device, operation, resource }: Question,
  time: number
): Checked => {
  const asked = { device, operation, resource, time }
  if (authority === undefined)
    return { ...asked, snapshot: "", decision: Decision.denied({ _tag: "NotAdmitted", device }) }
  const view = Authority.present(authority)
  const decision = Decision.ask(authority, view, { device, time, definition, type: operation, resource })
  return { ...asked, snapshot: Authority.digest(authority), decision }
}

/** The same question again, at the moment of writing: the former answer where nothing changed that it rests on. */
export const recheck = (
  ledger: Pick<Ledger, "authority">,
  definition: Definition,
  checked: Checked,
  time: number
): Checked =>
  ledger.authority !== undefined && checked.time === time && checked.snapshot === Authority.digest(ledger.authority)
    ? checked
    : check(ledger, definition, checked, time)
