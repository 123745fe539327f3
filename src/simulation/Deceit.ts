/** How the liars of a world come by what they know, make up what they say, and take the place of honest devices. */
import * as Effect from "effect/Effect"
import type { SpaceId } from "../identity/Id.ts"
import * as Ledger from "../runtime/Ledger.ts"
import * as Authority from "../trust/Authority.ts"
import type * as Agents from "./Agents.ts"
import type * as Devices from "./Devices.ts"
import type { Hostility } from "./Hostility.ts"
import * as Incidents from "./Incidents.ts"
import * as Liar from "./Liar.ts"
import type * as Voice from "./lies/Voice.ts"
import type { World } from "./World.ts"

/** What a device that is about to lie knows, and could say honestly. */
export const knowledgeOf = (space: SpaceId, agent: Devices.Device["agent"]): Effect.Effect<Voice.Knowledge> =>
  Effect.sync(() => {
    const ledger = agent.replica(space)!.ledger()
    const authority = ledger.authority!
    const founder = ledger.genesis!.creator
    const ends = Authority.rights(authority, Authority.present(authority), agent.device).flatMap(
      ({ until }) => until ?? []
    )
    return {
      space,
      seen: Ledger.unseen(ledger, undefined, "data", 0),
      time: ledger.latest + 1,
      founder,
      founding: Authority.admissionOf(authority, founder)!.hash,
      victims: Authority.members(authority).flatMap(({ device }) =>
        device === agent.device ? [] : [Incidents.endOf(ledger, device)]
      ),
      grants: [...authority.memo.book.grants.values()]
        .flat()
        .map(({ fact, node }) => ({ device: fact.device, entry: node.hash })),
      restrictions: Authority.restrictions(authority).map(({ index, node }) => ({ entry: node.hash, index })),
      until: ends.length === 0 ? undefined : Math.min(...ends)
    }
  })

/** Devices that the liars make up. */
const puppetNames = ["Trudy", "Trent", "Sybil"]

/** Lies to everybody at these addresses until it is over. The liar comes back without its honest program. */
export const deceive = (
  world: World,
  people: Agents.Agents,
  hostility: Hostility,
  knowledge: Voice.Knowledge,
  addresses: ReadonlyArray<string>,
  isOver: Effect.Effect<boolean>
): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const chance = world.chance("liar")
    const began = world.now()
    const den: Voice.Den = {
      knowledge,
      chance,
      mallory: people.keysOf("Mallory"),
      eve: people.keysOf("Eve"),
      puppets: puppetNames.map(people.keysOf),
      listeners: addresses.length,
      expulsionMillis: hostility.expulsionMillis
    }
    const sayings = yield* Liar.invent(den, hostility.lies)
    const clock = { elapsedMillis: () => world.now() - began, isOver }
    const speak = (speaker: Voice.Speaker): Effect.Effect<void, unknown> => {
      const own = sayings.filter(({ by }) => by === speaker)
      if (own.length === 0) return Effect.void
      return people.impersonate(speaker, (self) =>
        Liar.tellAll(self, knowledge.space, own, addresses, world.chance(`liar/${speaker}`), clock)
      )
    }
    yield* Effect.all([speak("Mallory"), speak("Eve")], { concurrency: 2, discard: true })
  })
