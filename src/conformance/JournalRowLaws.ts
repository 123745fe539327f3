/**
 * Laws of a space's rows and of results under idempotency keys, and of who owns the buffers of either. A part of
 * `journalStoreLaws`.
 *
 * Two promises are sharper here than the contract's words: a commit that repeats a (requester, key) of its space fails
 * with `JournalConflict` and keeps nothing, whatever the rest says; and a key is free again once the new result is at
 * least 24 hours younger than the stored one, whether or not the store had forgotten that by then.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { JournalStore, Commit, StoredResult } from "../effects/JournalStore.ts"
import {
  alice,
  bob,
  dayMillis,
  expectAllRefused,
  feedAt,
  firstOf,
  header,
  home,
  law,
  noise,
  phone,
  resultOf,
  runOf,
  text
} from "./JournalSample.ts"
import { expectSame, type Law } from "./Law.ts"

/** A buffer that shares its memory with every slice of it, as Node's own do. */
class SharingBytes extends Uint8Array<ArrayBuffer> {
  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return this.subarray(start, end)
  }
}

const sharing = (bytes: Uint8Array): SharingBytes => {
  const copy = new SharingBytes(new ArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

export const ownershipLaws: ReadonlyArray<Law<JournalStore>> = [
  law("buffers passed in are not kept: changing them afterwards changes nothing", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const given = [header(phone), text("run"), text("row"), text("payload"), text("result")].map(sharing)
      const [head, run, row, payload, result] = given
      if (!head || !run || !row || !payload || !result) return
      yield* store.commit({
        space: home,
        feeds: [{ feed: phone, header: head }],
        runs: [runOf(phone, 0, 0, run)],
        locals: [{ name: "row", bytes: row }],
        results: [{ ...resultOf("key", atMillis), payload, result }]
      })
      for (const bytes of given) bytes.fill(0xff)
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 1)], "feeds")
      yield* expectSame(yield* store.read(home, phone, 0, 0), [runOf(phone, 0, 0, text("run"))], "runs")
      yield* expectSame(yield* store.local(home, "row"), Option.some(text("row")), "the row")
      const kept = { ...resultOf("key", atMillis), payload: text("payload"), result: text("result") }
      yield* expectSame(yield* store.result(home, alice, "key"), Option.some(kept), "the result")
      const repacked = sharing(text("repacked"))
      yield* store.repack(home, runOf(phone, 0, 0, repacked))
      repacked.fill(0xff)
      yield* expectSame(yield* store.read(home, phone, 0, 0), [runOf(phone, 0, 0, text("repacked"))], "repacked runs")
    })
  ),
  law("buffers handed out belong to the caller: changing them changes nothing", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      yield* store.commit({
        ...firstOf(home, phone, runOf(phone, 0, 0), runOf(phone, 1, 1)),
        locals: [{ name: "row", bytes: text("row") }],
        results: [resultOf("key", atMillis)]
      })
      const handedOut = Effect.gen(function* () {
        const feeds = yield* store.feeds(home)
        const runs = yield* store.read(home, phone, 0, Infinity)
        const row = yield* store.local(home, "row")
        const result = yield* store.result(home, alice, "key")
        return {
          all: { feeds, runs, row, result },
          buffers: [
            ...feeds.map((feed) => feed.header),
            ...runs.map((run) => run.bytes),
            ...Option.toArray(row),
            ...Option.toArray(result).flatMap(({ payload, result }) => [payload, result])
          ]
        }
      })
      for (const bytes of (yield* handedOut).buffers) bytes.fill(0xff)
      yield* expectSame(
        (yield* handedOut).all,
        {
          feeds: [feedAt(phone, 2)],
          runs: [runOf(phone, 0, 0), runOf(phone, 1, 1)],
          row: Option.some(text("row")),
          result: Option.some(resultOf("key", atMillis))
        },
        "what is handed out next"
      )
    })
  )
]

export const rowLaws: ReadonlyArray<Law<JournalStore>> = [
  law("a row of a space is put, replaced and removed; the last word of a commit counts", (store) =>
    Effect.gen(function* () {
      const put = (...locals: NonNullable<Commit["locals"]>) => store.commit({ space: home, locals })
      yield* put(
        { name: "absent", bytes: null },
        { name: "row", bytes: text("one") },
        { name: "empty", bytes: text("") }
      )
      yield* expectSame(yield* store.local(home, "row"), Option.some(text("one")), "the row put")
      yield* expectSame(yield* store.local(home, "empty"), Option.some(text("")), "the empty row")
      yield* put({ name: "row", bytes: text("two") })
      yield* expectSame(yield* store.local(home, "row"), Option.some(text("two")), "the row replaced")
      yield* put({ name: "row", bytes: null }, { name: "row", bytes: text("three") }, { name: "empty", bytes: null })
      yield* expectSame(yield* store.local(home, "row"), Option.some(text("three")), "the row put last")
      yield* expectSame(yield* store.local(home, "empty"), Option.none(), "the row removed")
      const large = noise("row", 256 * 1024)
      yield* put({ name: "row", bytes: large })
      yield* expectSame(yield* store.local(home, "row"), Option.some(large), "the large row")
    })
  ),
  law("names and keys that differ in any character are different", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const names = ["", "a", "A", "a ", "a\0", "a\0b", "é", "e\u0301", "%", "_", "'", "🦀", "1", "01"]
      yield* store.commit({
        space: home,
        locals: names.map((name) => ({ name, bytes: text(`row ${name}`) })),
        results: names.map((name) => resultOf(name, atMillis))
      })
      for (const name of names) {
        yield* expectSame(
          yield* store.local(home, name),
          Option.some(text(`row ${name}`)),
          `row ${JSON.stringify(name)}`
        )
        const result = yield* store.result(home, alice, name)
        yield* expectSame(result, Option.some(resultOf(name, atMillis)), `result ${JSON.stringify(name)}`)
      }
    })
  ),
  law("a result is found by its requester and key", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const [ofAlice, ofBob] = [
        resultOf("key", atMillis),
        { ...resultOf("key", atMillis, bob), result: text("of Bob") }
      ]
      yield* store.commit({ space: home, results: [ofAlice, ofBob] })
      yield* expectSame(yield* store.result(home, alice, "key"), Option.some(ofAlice), "the result of Alice")
      yield* expectSame(yield* store.result(home, bob, "key"), Option.some(ofBob), "the result of Bob")
      yield* expectSame(yield* store.result(home, bob, "another"), Option.none(), "the result of another key")
    })
  ),
  law("a commit that uses a key again is a conflict, and nothing of it is kept", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const first = resultOf("key", atMillis)
      yield* store.commit({ ...firstOf(home, phone, runOf(phone, 0, 0)), results: [first] })
      const again = (results: ReadonlyArray<StoredResult>) =>
        store.commit({
          space: home,
          runs: [runOf(phone, 1, 1)],
          locals: [{ name: "row", bytes: text("row") }],
          results
        })
      yield* expectAllRefused(store, {
        "the same result again": again([first]),
        "another payload": again([{ ...first, payload: text("another"), atMillis: atMillis + dayMillis - 1 }]),
        "a used key beside a free one": again([resultOf("free", atMillis), resultOf("key", atMillis)]),
        "one free key twice": again([resultOf("free", atMillis), resultOf("free", atMillis)]),
        "no run at all": store.commit({ space: home, results: [first] })
      })
      yield* expectSame(yield* store.result(home, alice, "key"), Option.some(first), "the result")
      yield* expectSame(yield* store.result(home, alice, "free"), Option.none(), "the result of the free key")
      yield* expectSame(yield* store.local(home, "row"), Option.none(), "the row")
    })
  ),
  law("a key is free again a day later", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      yield* store.commit({ space: home, results: [resultOf("key", atMillis)] })
      const later = { ...resultOf("key", atMillis + dayMillis), result: text("the result of the next day") }
      yield* store.commit({ space: home, results: [later] })
      yield* expectSame(yield* store.result(home, alice, "key"), Option.some(later), "the result")
    })
  )
]
