/** Whether a policy lets somebody, asked of the slow rule: every demand by itself, every chain tried. */
import type { DeviceId, EntryHash } from "../../src/identity/Id.ts"
import { levels } from "../../src/trust/Level.ts"
import type { Policy } from "../../src/trust/Policy.ts"
import * as Trust from "../../src/trust/Trust.ts"
import { isWithin, type oracle, type Past, type Regime } from "./oracle.ts"

export interface Asked {
  readonly view: Past
  readonly regime: Regime
  readonly device: DeviceId
  readonly time: number
}

type Oracle = ReturnType<typeof oracle>

/** The chains by which somebody may do something, as hashes of grants. */
export const chainsOf = (
  slow: Oracle,
  asked: Asked,
  wanted: string,
  depth = 0
): ReadonlyArray<ReadonlyArray<EntryHash>> =>
  slow
    .chains(asked.view, asked.device, asked.regime, wanted, asked.time, depth)
    .map((chain) => chain.map(({ entry }) => entry.hash))

export const meets = (slow: Oracle, asked: Asked, policy: Policy): boolean => {
  const standing = () => Trust.standingOf(slow.web(asked.view, asked.regime), asked.device)
  switch (policy._tag) {
    case "All":
      return policy.of.every((one) => meets(slow, asked, one))
    case "Any":
      return policy.of.some((one) => meets(slow, asked, one))
    case "Capability":
      return chainsOf(slow, asked, policy.capability).some(
        (chain) => chain.length <= (policy.chainMax ?? Number.POSITIVE_INFINITY)
      )
    case "Trust":
      return levels.indexOf(standing().level) >= levels.indexOf(policy.level)
    case "Attested":
      return standing().attesters.length >= policy.count
    case "Within":
      return asked.time >= (policy.from ?? asked.time) && asked.time <= (policy.until ?? asked.time)
    case "Hours":
      return isWithin(policy.hours, asked.time)
  }
}

/** Every policy in force lets him, and severe reports don't end him. */
export const permits = (slow: Oracle, asked: Asked, operation: string, defined: Policy): boolean =>
  !Trust.standingOf(slow.web(asked.view, asked.regime), asked.device).isTerminated &&
  slow
    .policies(asked.view, asked.regime, operation)
    .every((change) =>
      meets(slow, asked, (change?.fact._tag === "SetPolicy" ? change.fact.policy : undefined) ?? defined)
    )
