/**
 * Mallory: a member with an honest key that says whatever helps, to each of the others something else; and Eve, a friend
 * of hers whom nobody else knows, who says it too.
 *
 * Which kinds of lies a world has is drawn (Story.ts); each is a function that makes *sayings*, all well signed
 * (lies/Voice.ts). They are made up before the lying begins, from what Mallory knew when she was last honest, and told
 * again and again in changing order.
 *
 * What must hold: nobody counts more than what some chain of grants entitles to and no cut leaves out, nobody loses a
 * right but by who may take it, and those who were told different things agree in the end.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Keys } from "../effects/Keys.ts"
import type { Connection, Network } from "../effects/Network.ts"
import type { SpaceId } from "../identity/Id.ts"
import * as Message from "../sync/Message.ts"
import type { Chance } from "./Chance.ts"
import * as Contradictions from "./lies/Contradictions.ts"
import * as Escalations from "./lies/Escalations.ts"
import * as Sybils from "./lies/Sybils.ts"
import * as Times from "./lies/Times.ts"
import type * as Voice from "./lies/Voice.ts"

export interface Self {
  readonly keys: Keys["Service"]
  readonly network: Network["Service"]
}

/** Each kind of lie, by the name that stories give it. */
const kinds = {
  "two histories": Contradictions.twoHistories,
  "two verdicts": Contradictions.twoVerdicts,
  withholding: Contradictions.withholding,
  storm: Contradictions.storm,
  claims: Escalations.claims,
  circles: Escalations.circles,
  chains: Escalations.chains,
  joining: Escalations.joining,
  stretching: Escalations.stretching,
  sybils: Sybils.sybils,
  withdrawals: Sybils.withdrawals,
  receipts: Sybils.receipts,
  future: Times.future,
  expiry: Times.expiry,
  backdating: Times.backdating
}

export type LieKind = keyof typeof kinds

export const lieKinds = Object.keys(kinds) as ReadonlyArray<LieKind>

/** All that is going to be said in a world. */
export const invent = (
  den: Voice.Den,
  drawn: ReadonlyArray<LieKind>
): Effect.Effect<ReadonlyArray<Voice.Saying>, unknown> =>
  Effect.map(
    Effect.forEach(drawn, (kind) => kinds[kind](den)),
    (sayings) => sayings.flat()
  )

/** Tells everyone at these addresses, for so long, then once more, so that nothing stays unsaid. */
export const tellAll = Effect.fnUntraced(function* (
  self: Self,
  space: SpaceId,
  sayings: ReadonlyArray<Voice.Saying>,
  addresses: ReadonlyArray<string>,
  chance: Chance,
  clock: { readonly elapsedMillis: () => number; readonly isOver: Effect.Effect<boolean> }
): Effect.fn.Return<void, unknown, Scope.Scope> {
  const liars = yield* Effect.forEach(addresses, (address, listener) =>
    Effect.forkScoped(
      Effect.gen(function* () {
        const meant = sayings.filter(({ to }) => to === undefined || to.includes(listener))
        for (let isFirst = true, isLast = false; !isLast; isFirst = false) {
          isLast = yield* clock.isOver
          const due = meant.filter(({ fromMillis }) => isLast || fromMillis <= clock.elapsedMillis())
          // what others rest on comes first at first and in the end, and wherever it falls between
          const told = isFirst || isLast ? due : chance.shuffle(due)
          const lies = told.map(({ lie }) => lie)
          yield* Effect.ignore(Effect.scoped(tell(self, space, address, lies, chance)))
          yield* Effect.sleep(chance.between(200, 4_000))
        }
      })
    )
  )
  yield* Fiber.joinAll(liars)
})

/** Tells one peer everything over one connection, and listens for a while, as an honest device would. */
const tell = Effect.fnUntraced(function* (
  { network }: Self,
  space: SpaceId,
  address: string,
  lies: ReadonlyArray<Voice.Lie>,
  chance: Chance
) {
  const connection = yield* network.connect(address)
  const tag = Message.tagOf(connection.channelKey, space)
  const send = (message: Message.Message) => connection.send(Message.encode(message))
  yield* send({ _tag: "Hello", version: Message.version, spaces: [tag] })
  const ears = yield* Effect.forkScoped(Effect.forever(connection.receive))
  for (const { header, run } of lies) yield* send({ _tag: "Run", space: tag, header, run })
  yield* Effect.sleep(chance.between(500, 3_000))
  if (chance.happens(0.3)) yield* noise(connection, chance)
  yield* Fiber.interrupt(ears)
})

const noise = (connection: Connection, chance: Chance): Effect.Effect<void, unknown> =>
  connection.send(chance.bytes(chance.between(0, 40)))
