/** A permission with what limits it, as one grant gives it. */
import type { Capability } from "./Capability.ts"
import * as Hours from "./Hours.ts"
import { grantDepthMax, rightHoursMax } from "./limits.ts"
import * as Payload from "./Payload.ts"

/**
 * The parts travel together and are met link by link, never joined across rights. `depth` = how many further hops it may
 * be passed on; 0 = use only. The window is inclusive, in entry time.
 */
export interface Right {
  readonly capability: Capability
  readonly depth: number
  readonly from: number | undefined
  readonly until: number | undefined
  /** Conditions: each of these has to contain the moment. Empty: at any hour. */
  readonly hours: ReadonlyArray<Hours.Hours>
}

export const shape: Payload.Shape<Right> = Payload.map<Right>({
  capability: Payload.capability,
  depth: Payload.integer(0, grantDepthMax),
  from: Payload.optionalTime,
  until: Payload.optionalTime,
  hours: Payload.listOrAbsent(Payload.list(Hours.shape, 0, rightHoursMax))
})

/** A right to be used at any time by who gets it, and not passed on; or as `limits` say. */
export const make = (capability: Capability, limits: Partial<Omit<Right, "capability">> = {}): Right => ({
  capability,
  depth: 0,
  from: undefined,
  until: undefined,
  hours: [],
  ...limits
})

/** Whether it may be used, and passed on, at a moment of entry time. */
export const isOpen = ({ from, hours, until }: Right, time: number): boolean =>
  (from === undefined || time >= from) &&
  (until === undefined || time <= until) &&
  hours.every((one) => Hours.contain(one, time))

/** Whether it may be used at any time. */
export const isLasting = ({ from, hours, until }: Right): boolean =>
  from === undefined && until === undefined && hours.length === 0
