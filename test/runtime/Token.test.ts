/** When an opening draws its token: nobody who reads waits for it, and nothing is said before it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import { SecretStoreError, SecretStoreUnavailable } from "../../src/effects/SecretStore.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Token from "../../src/runtime/Token.ts"
import { alice, bring, during, entriesOf, founded, installation, runOf, set, until, written } from "./fixtures.ts"

/** Alice's installation, and what happens to its stores, in order. */
const watched = () =>
  Effect.gen(function* () {
    const { authority, space } = founded()
    const plain = installation(alice)
    yield* bring(plain, space, runOf(authority))
    const events: Array<string> = []
    const faults = { secrets: false }
    const { get, put } = plain.secrets
    const on: typeof plain = {
      ...plain,
      secrets: {
        ...plain.secrets,
        get,
        put: (name, secret) => {
          events.push("secret")
          return faults.secrets
            ? Effect.fail(new SecretStoreError({ reason: new SecretStoreUnavailable({ what: "pulled" }) }))
            : put(name, secret)
        }
      }
    }
    const wrap = (store: JournalStore["Service"]): JournalStore["Service"] => ({
      ...store,
      commit: (commit) => {
        if (commit.locals?.some(({ name }) => name === "token") === true) events.push("token")
        events.push(...(commit.runs ?? []).map(() => "run"))
        return store.commit(commit)
      }
    })
    return { on, space, wrap, events, faults }
  })

const write = (replica: Replica.Replica, key: string) => replica.write(written(alice.device, set(key, "1")))

describe("the token of an opening", () => {
  it.live("is drawn before the first write and once, known to the secrets while the journal may hold either", () =>
    Effect.gen(function* () {
      const { events, on, space, wrap } = yield* watched()
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          assert.deepStrictEqual(events, [])
          yield* write(replica, "a")
          yield* write(replica, "b")
          assert.deepStrictEqual(events, ["secret", "token", "secret", "run", "run"])
        }),
        wrap
      )
    })
  )

  it.live("is drawn soon after, when nothing is written", () =>
    Effect.gen(function* () {
      const { events, on, space, wrap } = yield* watched()
      const tokenOf = () => on.disk.spaces.get(space)!.locals.get("token")!.slice()
      const before = tokenOf()
      yield* during(
        on,
        Effect.andThen(
          Replica.open(space),
          until("it is drawn", () => events.length === 3)
        ),
        wrap
      )
      assert.deepStrictEqual(events, ["secret", "token", "secret"])
      assert.notDeepEqual(tokenOf(), before)
      const secret = yield* Token.read(on.secrets, space)
      assert.deepStrictEqual(secret?.tokens, [tokenOf()])
    })
  )

  it.live("that can't be kept lets nothing be written, and everything be read; the next write tries again", () =>
    Effect.gen(function* () {
      const { events, faults, on, space, wrap } = yield* watched()
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          yield* write(replica, "a")
        })
      )
      faults.secrets = true
      events.length = 0
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const error = yield* Effect.flip(write(replica, "b"))
          assert.strictEqual(error._tag, "SecretStoreError")
          assert.notInclude(events, "run")
          assert.deepStrictEqual(entriesOf(replica), { a: "1" })
          faults.secrets = false
          yield* write(replica, "c")
          assert.deepStrictEqual(entriesOf(replica), { a: "1", c: "1" })
        }),
        wrap
      )
    })
  )

  it.live("is drawn anew with another key when the secret is not one of ours: no key is made of what is left", () =>
    Effect.gen(function* () {
      const { authority, space } = founded()
      for (const bytes of [0, 16, 32, 47, 49, 80]) {
        const on = installation(alice)
        yield* bring(on, space, runOf(authority))
        yield* on.secrets.put(`token.${space.slice(0, 32)}`, Redacted.make(new Uint8Array(bytes)))
        assert.isUndefined(yield* Token.read(on.secrets, space))
        yield* during(on, Replica.open(space))
        const secret = (yield* Token.read(on.secrets, space))!
        assert.strictEqual(secret.tokens.length, 1)
        const key = Redacted.value(secret.checkpointKey)
        assert.isTrue(key.length === 32 && key.some((byte) => byte !== 0))
      }
    })
  )

  it.live(
    "costs nothing when the process dies at any step of drawing it, and everything that was put back is told",
    () =>
      Effect.gen(function* () {
        const { authority, space } = founded()
        const died = new SecretStoreError({ reason: new SecretStoreUnavailable({ what: "died" }) })
        for (const stepsMax of [0, 1, 2, 3]) {
          const on = installation(alice)
          yield* bring(on, space, runOf(authority))
          const journalBefore = on.disk.spaces.get(space)!.locals.get("token")!.slice()
          let steps = 0
          const dying: typeof on = {
            ...on,
            secrets: {
              ...on.secrets,
              put: (name, secret) => (steps++ < stepsMax ? on.secrets.put(name, secret) : Effect.fail(died))
            }
          }
          const claimed = during(
            dying,
            Effect.flatMap(Replica.open(space), (replica) => write(replica, "a")),
            (store) => ({
              ...store,
              commit: (commit) =>
                commit.locals?.some(({ name }) => name === "token") !== true || steps++ < stepsMax
                  ? store.commit(commit)
                  : Effect.die("died")
            })
          )
          yield* Effect.exit(claimed)
          const tokens = (store: JournalStore["Service"]) =>
            Effect.flatMap(Token.read(on.secrets, space), (secret) => Token.compare(store, secret, space))
          const compared = during(on, Effect.flatMap(JournalStore, tokens))
          assert.strictEqual(yield* compared, "Equal", `died after ${stepsMax} steps`)
          yield* during(
            on,
            Effect.flatMap(Replica.open(space), (replica) => write(replica, "b"))
          )
          on.disk.spaces.get(space)!.locals.set("token", journalBefore)
          assert.strictEqual(yield* compared, "Unequal", "the journal was put back")
        }
      })
  )
})
