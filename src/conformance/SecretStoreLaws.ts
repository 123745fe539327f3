/**
 * What every SecretStore handler promises, as checks that run anywhere, also beside secrets in use: they touch only
 * names that begin with "conformance." and the two names "." and "..", and leave none behind when they hold.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SecretStore, secretBytesMax } from "../effects/SecretStore.ts"
import { expect, expectSame, type Law } from "./Law.ts"

const secret = (text: string): Redacted.Redacted<Uint8Array> => Redacted.make(new TextEncoder().encode(text))

const stored = (name: string) =>
  Effect.gen(function* () {
    return Option.map(yield* (yield* SecretStore).get(name), Redacted.value)
  })

const expectStored = (name: string, expected: Redacted.Redacted<Uint8Array>) =>
  Effect.gen(function* () {
    const found = yield* stored(name)
    yield* expect(Option.isSome(found), `the secret "${name}" is absent`)
    yield* expectSame(Option.getOrUndefined(found), Redacted.value(expected), `the secret "${name}"`)
  })

const expectAbsent = (name: string) =>
  Effect.gen(function* () {
    yield* expect(Option.isNone(yield* stored(name)), `the secret "${name}" is still there`)
  })

export const secretStoreLaws: ReadonlyArray<Law<SecretStore>> = [
  {
    name: "a secret that was never put is absent",
    check: expectAbsent("conformance.never")
  },
  {
    name: "a secret is read back as it was put, empty and largest included",
    check: Effect.gen(function* () {
      const store = yield* SecretStore
      const name = "conformance.sizes"
      for (const size of [0, 1, 32, secretBytesMax]) {
        const bytes = Redacted.make(new Uint8Array(size).map((_, at) => at * 31))
        yield* store.put(name, bytes)
        yield* expectStored(name, bytes)
      }
      yield* store.remove(name)
    })
  },
  {
    name: "a second put replaces the first",
    check: Effect.gen(function* () {
      const store = yield* SecretStore
      yield* store.put("conformance.replace", secret("a longer first secret"))
      yield* store.put("conformance.replace", secret("second"))
      yield* expectStored("conformance.replace", secret("second"))
      yield* store.remove("conformance.replace")
    })
  },
  {
    name: "a removed secret is absent, and removing it again is no error",
    check: Effect.gen(function* () {
      const store = yield* SecretStore
      yield* store.put("conformance.remove", secret("gone"))
      yield* store.remove("conformance.remove")
      yield* expectAbsent("conformance.remove")
      yield* store.remove("conformance.remove")
    })
  },
  {
    name: "names that differ never collide, dots, dashes and length included",
    check: Effect.gen(function* () {
      const store = yield* SecretStore
      const ends = ["", ".", "..", "-", "a", "a.", ".a", "a-", "aa", "tmp", "con", "x".repeat(51), "x".repeat(52)]
      const names = [".", "..", ...ends.map((end) => `conformance.${end}`)]
      for (const name of names) yield* store.put(name, secret(name))
      for (const name of names) yield* expectStored(name, secret(name))
      for (const name of names) yield* store.remove(name)
      for (const name of names) yield* expectAbsent(name)
    })
  },
  {
    name: "a name outside 1 to 64 of a-z 0-9 . - and a secret above the limit are defects that store nothing",
    check: Effect.gen(function* () {
      const store = yield* SecretStore
      for (const name of ["", "A", "a/b", "../a", "a_b", "ä", "a\0", "a ", "x".repeat(65)]) {
        const exit = yield* Effect.exit(store.put(name, secret("never")))
        yield* expect(Exit.hasDies(exit), `the name ${JSON.stringify(name)} was taken`)
        yield* expect(Exit.hasDies(yield* Effect.exit(store.get(name))), `the name ${JSON.stringify(name)} was read`)
      }
      const tooLarge = Redacted.make(new Uint8Array(secretBytesMax + 1))
      yield* expect(
        Exit.hasDies(yield* Effect.exit(store.put("conformance.large", tooLarge))),
        "a larger secret was taken"
      )
      yield* expectAbsent("conformance.large")
    })
  },
  {
    name: "a buffer that was put or handed out is not shared with the store",
    check: Effect.gen(function* () {
      const store = yield* SecretStore
      const bytes = new TextEncoder().encode("shared")
      yield* store.put("conformance.shared", Redacted.make(bytes))
      bytes.fill(0)
      const handedOut = yield* stored("conformance.shared")
      if (Option.isSome(handedOut)) handedOut.value.fill(0)
      yield* expectStored("conformance.shared", secret("shared"))
      yield* store.remove("conformance.shared")
    })
  },
  {
    name: "of concurrent puts one wins whole",
    check: Effect.gen(function* () {
      const store = yield* SecretStore
      const candidates = Array.from({ length: 8 }, (_, index) => secret(String(index).repeat(1_000 + index)))
      yield* Effect.forEach(candidates, (candidate) => store.put("conformance.race", candidate), {
        concurrency: "unbounded",
        discard: true
      })
      const found = Option.getOrThrow(yield* stored("conformance.race"))
      const isWhole = candidates.some((candidate) => Redacted.value(candidate).join() === found.join())
      yield* expect(isWhole, "the stored secret is none of those put")
      yield* store.remove("conformance.race")
    })
  }
]
