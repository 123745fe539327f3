/**
 * How much a peer may be sent in an epoch: a formula over what every device knows alike, so that all come to the same
 * limit. Integers throughout; amounts are in the unit of costs (one message costs 1 or more), shares in 1/10 000.
 *
 *     trusted     = floor(base · value)                   value: of the peer's standing (trust/Trust.ts)
 *     reciprocal  = floor(base · reciprocity · 1/2)
 *     penalty     = reports · floor(base · 1/10)
 *     limit       = max(floor of the limit, trusted + reciprocal − penalty)
 *
 * The floor is `flowLimitMin`, so that who is barely trusted can still ask and be told why, but never above `base`:
 * where a policy gives nothing, trust does not widen it.
 *
 * Laws (test/trust/FlowLimit.test.ts): monotone in base without reports, in value and in reciprocity, antitone in
 * reports, never below its floor nor above one and a half bases. Who may be sent anything at all is no matter of flow.
 */
import { valueMax } from "./Level.ts"

/** What every peer may be sent in an epoch, where the policy gives as much. */
export const flowLimitMin = 16

/** The highest base: every product here stays exact. */
export const flowBaseMax = 2 ** 32

/** Full reciprocity adds the base divided by this. */
export const reciprocityDivisor = 2

/** What each report takes from a limit, in 1/10 000 of the base. */
export const reportShare = 1_000

export interface Flow {
  /** What the policy gives a fully trusted peer in an epoch, its tier included: an integer from 0 to `flowBaseMax`. */
  readonly base: number
  /** How far the peer is trusted, in 1/10 000, from 0 to 10 000. */
  readonly value: number
  /** In 1/10 000; more than 10 000 counts as that. */
  readonly reciprocity: number
  /** Reporters that stand against the peer, an integer from 0 on. */
  readonly reports: number
}

/** The limit for one epoch. */
export const limitFrom = ({ base, reciprocity, reports, value }: Flow): number => {
  const trusted = part(base, value)
  const reciprocal = Math.floor((base * Math.min(reciprocity, valueMax)) / (reciprocityDivisor * valueMax))
  const penalty = reports * part(base, reportShare)
  return Math.max(Math.min(flowLimitMin, base), trusted + reciprocal - penalty)
}

/** How much of a base went both ways, in 1/10 000: the lower of the amounts sent and received in the last epoch. */
export const reciprocityFrom = (base: number, sent: number, received: number): number =>
  base === 0 ? 0 : Math.floor((Math.min(sent, received, base) * valueMax) / base)

const part = (base: number, share: number): number => Math.floor((base * share) / valueMax)
