/**
 * What every journal store promises (effects/JournalStore.ts), as data: any handler is checked with the same lists.
 *
 * Each law wants a store, or a place for one, that was empty before it began. Not in here: kill -9, torn writes, flipped
 * bytes. Those need a process or a disk to break, and belong to the tests of each handler.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Commit, JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import { ownershipLaws, rowLaws } from "./JournalRowLaws.ts"
import { startLaws } from "./JournalStartLaws.ts"
import { commitLaws, readLaws, repackLaws } from "./JournalRunLaws.ts"
import {
  alice,
  contents,
  expectAllRefused,
  expectConflict,
  feedAt,
  firstOf,
  hashAt,
  header,
  home,
  laptop,
  law,
  noise,
  phone,
  resultOf,
  runOf,
  server,
  text,
  work
} from "./JournalSample.ts"
import { expect, expectFailure, expectSame, type Law, type LawBroken } from "./Law.ts"

/** Where a durable store lives: every opening opens the same one, and its scope's end closes it. */
export class JournalPlace extends Context.Service<
  JournalPlace,
  { readonly open: Effect.Effect<JournalStore["Service"], JournalStoreError, Scope.Scope> }
>()("aura/conformance/JournalPlace") {}

const placeLaw = (
  name: string,
  check: (open: JournalPlace["Service"]["open"]) => Effect.Effect<void, unknown>
): Law<JournalPlace> => ({ name, check: Effect.flatMap(JournalPlace, ({ open }) => check(open)) })

/** For every handler; a fresh store for each. */
export const journalStoreLaws: ReadonlyArray<Law<JournalStore>> = [
  ...readLaws,
  ...commitLaws,
  ...ownershipLaws,
  ...repackLaws,
  ...startLaws,
  ...rowLaws
]

/** For handlers that keep things longer than one opening; a fresh place for each. */
export const journalPlaceLaws: ReadonlyArray<Law<JournalPlace>> = [
  placeLaw("a store opened again has everything, in the same order", (open) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open
          yield* store.commit(firstOf(home, phone, runOf(phone, 0, 2), runOf(phone, 3, 4), runOf(phone, 5, 5)))
          yield* store.commit(firstOf(work, laptop))
          yield* store.commit(firstOf(home, laptop, runOf(laptop, 0, 0, noise("laptop", 70_000))))
          yield* store.repack(home, runOf(phone, 0, 4))
          const starts = [{ feed: server, header: header(server), entries: 9, hash: hashAt(server, 8) }]
          yield* store.commit({ space: work, starts, runs: [runOf(server, 9, 11), runOf(server, 12, 12)] })
          yield* store.commit({ space: work, starts: [{ ...starts[0]!, entries: 12, hash: hashAt(server, 11) }] })
          yield* store.commit({
            space: home,
            locals: [{ name: "row", bytes: text("row") }],
            results: [resultOf("key", atMillis)]
          })
          return yield* contents(store)
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open
          yield* expectSame(yield* contents(store), before, "the store opened again")
          yield* expectSame(yield* store.local(home, "row"), Option.some(text("row")), "the row")
          yield* expectSame(
            yield* store.result(home, alice, "key"),
            Option.some(resultOf("key", atMillis)),
            "the result"
          )
          yield* expectAllRefused(store, {
            "a stale continuation": store.commit({ space: home, runs: [runOf(phone, 5, 5)] })
          })
          yield* store.commit({ space: home, runs: [runOf(phone, 6, 6)] })
          yield* expectSame(
            yield* store.feeds(home),
            [feedAt(phone, 7), feedAt(laptop, 1)],
            "feeds after going on from there"
          )
        })
      )
    })
  ),
  placeLaw("a refused commit is not there after opening again either", (open) =>
    Effect.gen(function* () {
      const commit: Commit = {
        ...firstOf(home, phone, runOf(phone, 0, 0)),
        locals: [{ name: "row", bytes: text("row") }]
      }
      yield* Effect.scoped(
        Effect.flatMap(open, (store) =>
          expectConflict(
            store.commit({ ...commit, runs: [...(commit.runs ?? []), runOf(phone, 2, 2)] }),
            "a bad commit"
          )
        )
      )
      const spaces = yield* Effect.scoped(Effect.flatMap(open, (store) => store.spaces))
      yield* expectSame(spaces, [], "spaces")
    })
  ),
  placeLaw("a store is open once: a second opener is told so and the first goes on", (open) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open
          yield* store.commit(firstOf(home, phone, runOf(phone, 0, 0)))
          for (const opening of ["second", "third"]) {
            yield* expectFailure(
              Effect.scoped(Effect.flatMap(open, (other) => other.spaces)),
              ({ reason }) => reason._tag === "JournalLocked",
              `a ${opening} opening`
            )
          }
          yield* store.commit({ space: home, runs: [runOf(phone, 1, 1)] })
        })
      )
      const feeds = yield* Effect.scoped(Effect.flatMap(open, (store) => store.feeds(home)))
      yield* expectSame(feeds, [feedAt(phone, 2)], "feeds")
    })
  ),
  placeLaw("a closed store refuses instead of answering", (open) =>
    Effect.gen(function* () {
      const store = yield* Effect.scoped(open)
      const isUnavailable = ({ reason }: JournalStoreError) => reason._tag === "JournalUnavailable"
      yield* expectFailure(store.spaces, isUnavailable, "reading")
      yield* expectFailure(store.commit({ space: home }), isUnavailable, "committing")
    })
  )
]

/** For a store that has room for 64 KiB to 8 MiB; a fresh one for each. */
export const fullJournalLaws: ReadonlyArray<Law<JournalStore>> = [
  law("a full store keeps nothing of the commit that did not fit, and everything before it", (store) =>
    Effect.gen(function* () {
      yield* store.commit(firstOf(home, phone))
      const runBytes = 32 * 1024
      const fill = (seq: number): Effect.Effect<number, JournalStoreError | LawBroken> =>
        Effect.matchEffect(store.commit(firstOf(work, laptop, runOf(laptop, seq, seq, noise(`${seq}`, runBytes)))), {
          onSuccess: () => fill(seq + 1),
          onFailure: (error) =>
            Effect.as(expect(error.reason._tag === "JournalFull", `a commit without room: ${error.message}`), seq)
        })
      const fitted = yield* fill(0)
      yield* expect(fitted > 0 && fitted <= 256, `room for ${fitted} runs of ${runBytes} bytes`)
      yield* expectSame(yield* store.feeds(work), [feedAt(laptop, fitted)], "feeds when full")
      const runs = yield* store.read(work, laptop, 0, Infinity)
      for (const [seq, run] of runs.entries()) {
        yield* expectSame(run, runOf(laptop, seq, seq, noise(`${seq}`, runBytes)), `run ${seq} when full`)
      }
      yield* expectSame(runs.length, fitted, "number of runs when full")
      yield* store.repack(work, runOf(laptop, 0, fitted - 1, text("much smaller")))
      yield* store.commit({ space: work, runs: [runOf(laptop, fitted, fitted, noise("again", runBytes))] })
      yield* expectSame(yield* store.feeds(work), [feedAt(laptop, fitted + 1)], "feeds after making room")
    })
  )
]
