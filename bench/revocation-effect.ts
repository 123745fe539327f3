/**
 * How long a revocation takes, under load, from the moment when it is asked for until every connected device acts on it:
 * the last percent of devices, and beside it the median one.
 *
 * In a household of seven (household.ts) one device after the other is put out by one that is not its neighbour, 20
 * times, which gives 140 samples. A device acts once its own replica puts the other out, what that wrote behind the cut is
 * taken back, and readers are told: state is folded anew for that on each device, from its last books that hold none of it.
 * All devices share one thread here, and the last one waits for the work of all others; on seven machines they work at
 * once.
 */
import type { Network } from "./household.ts"
import type { Question, Side } from "./question.ts"
import { percentileOf } from "./timing.ts"

const timesCount = 20

const side = (peer: string, network: Network, share: number, past = false): Side => ({
  peer,
  package: "aura",
  verifies: "signatures, whether the revocation stands, and every entry behind its cut",
  roundsMax: 3,
  run: async () => {
    const { household } = await import("./household.ts")
    const { close, putOut } = await household(network, { past })
    const samples: Array<number> = []
    for (let i = 0; i < timesCount; i++) samples.push(...(await putOut()))
    await close()
    return percentileOf(samples, share)
  }
})

const beside = (side: Side, why: string): Side => ({ ...side, unlike: why, roundsMax: 1 })

export const questions: ReadonlyArray<Question> = [
  {
    question: "revocation-effect",
    unit: "ms",
    better: "lower",
    goal: 1_000,
    ours: side("Aura, p99 over a loopback WebSocket", "loopback", 0.99),
    peers: [
      beside(side("Aura, p50 over a loopback WebSocket", "loopback", 0.5), "the median"),
      beside(side("Aura, p99 in process", "memory", 0.99), "no sockets, no sealing"),
      beside(side("Aura, p50 in process", "memory", 0.5), "the median, no sockets, no sealing"),
      beside(side("Aura, p99, 20 000 entries before", "loopback", 0.99, true), "a longer journal")
    ]
  }
]
