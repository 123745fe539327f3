/** What an operation type demands of whoever performs it: the part of a definition that is about permission. */
import { capability, type Capability } from "./Capability.ts"

export interface Policy {
  /** All of them, each on the operation's resource if it names one. Empty: any member may. */
  readonly capabilities: ReadonlyArray<Capability>
}

/** Dies on text that is no capability: policies are written by the application's author. */
export const make = (policy: { readonly capabilities: ReadonlyArray<string> }): Policy => ({
  capabilities: policy.capabilities.map(capability)
})
