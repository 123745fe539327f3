/**
 * The driver over a scripted wire, on a virtual clock: what a hostile or silent transport does to a connection.
 *
 *     Alice's SecureConnection ── wire, held in the test's hand ── Bob's SecureConnection
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { randomBytes } from "node:crypto"
import { Keys, KeysError, KeysLocked } from "../../src/effects/Keys.ts"
import { frameBytesMax } from "../../src/effects/Network.ts"
import { Verifier } from "../../src/effects/Verifier.ts"
import * as MemoryKeys from "../../src/handlers/memory/MemoryKeys.ts"
import { nodeSuite } from "../../src/handlers/node/NodeSuite.ts"
import * as NodeVerifier from "../../src/handlers/node/NodeVerifier.ts"
import * as SecureConnection from "../../src/handlers/shared/SecureConnection.ts"

/** One side of a wire. What is pushed lies in `pushed` until the test moves it. */
interface Side {
  readonly attach: (arrivals: SecureConnection.Arrivals) => SecureConnection.Duplex
  readonly pushed: Array<Uint8Array>
  readonly deliver: (message: Uint8Array) => void
  readonly hangUp: (what: string) => void
  readonly isPaused: () => boolean
  readonly ending: () => "open" | "closed" | "destroyed"
}

const side = (): Side => {
  const pushed: Array<Uint8Array> = []
  const held: Array<Uint8Array> = []
  let arrivals: SecureConnection.Arrivals | undefined
  let paused = false
  let ending: ReturnType<Side["ending"]> = "open"
  const release = (): void => {
    while (!paused && held.length > 0) arrivals?.message(held.shift()!)
  }
  return {
    attach: (to) => {
      arrivals = to
      return {
        push: (message) => void pushed.push(message),
        ready: Effect.void,
        pause: () => {
          paused = true
        },
        resume: () => {
          paused = false
          release()
        },
        close: () => {
          ending = "closed"
        },
        destroy: () => {
          ending = "destroyed"
        }
      }
    },
    pushed,
    deliver: (message) => {
      held.push(message)
      release()
    },
    hangUp: (what) => arrivals?.ended(what),
    isPaused: () => paused,
    ending: () => ending
  }
}

const keysOf = (seed: number) => MemoryKeys.make({ seed: new Uint8Array(32).fill(seed) })
const [alice, bob] = [keysOf(1), keysOf(2)]

const open = (at: Side, initiator: boolean, more: Partial<SecureConnection.Options> = {}) =>
  Effect.gen(function* () {
    return yield* SecureConnection.open(at.attach, {
      initiator,
      address: "somewhere",
      suite: nodeSuite,
      keys: initiator ? alice : bob,
      verifier: yield* Verifier,
      randomBytes: (size) => Uint8Array.from(randomBytes(size)),
      ...more
    })
  })

const check = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | Verifier>) =>
  effect.pipe(Effect.scoped, Effect.provide(NodeVerifier.layer))

const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
})

/** Moves what one side pushed to the other, changed on the way if asked. */
const move = (from: Side, to: Side, change: (message: Uint8Array) => Uint8Array = (message) => message) =>
  Effect.gen(function* () {
    yield* settle
    for (const message of from.pushed.splice(0)) to.deliver(change(message))
    yield* settle
  })

const connected = Effect.gen(function* () {
  const [here, there] = [side(), side()]
  const ours = yield* Effect.forkScoped(open(here, true))
  const theirs = yield* Effect.forkScoped(open(there, false))
  yield* move(here, there)
  yield* move(there, here)
  yield* move(here, there)
  return { here, there, ours: yield* Fiber.join(ours), theirs: yield* Fiber.join(theirs) }
})

const flip = (at: number) => (message: Uint8Array) => {
  const copy = Uint8Array.from(message)
  copy[at % copy.length]! ^= 1
  return copy
}

describe("a handshake over a scripted wire", () => {
  it.effect("opens, and frames that came before the acceptor was ready are not lost", () =>
    check(
      Effect.gen(function* () {
        const [here, there] = [side(), side()]
        const dialling = yield* Effect.forkScoped(open(here, true))
        const answering = yield* Effect.forkScoped(open(there, false))
        yield* move(here, there)
        yield* move(there, here)
        const ours = yield* Fiber.join(dialling)
        for (let index = 0; index < 5; index++) yield* ours.send(Uint8Array.of(index))
        // The third handshake message and five frames arrive at once.
        yield* move(here, there)
        const theirs = yield* Fiber.join(answering)
        for (let index = 0; index < 5; index++) assert.deepStrictEqual(Array.from(yield* theirs.receive), [index])
        assert.deepStrictEqual([ours.peer, theirs.peer], [bob.device, alice.device])
      })
    )
  )

  it.effect("holds no more than one message of a stranger at a time", () =>
    check(
      Effect.gen(function* () {
        const there = side()
        yield* Effect.forkScoped(Effect.exit(open(there, false)))
        yield* settle
        assert.isFalse(there.isPaused())
        // Nothing is taken between two turns of the scheduler.
        there.deliver(new Uint8Array(512))
        assert.isTrue(there.isPaused())
      })
    )
  )

  it.effect("that dawdles is ended after ten seconds, at either side", () =>
    check(
      Effect.gen(function* () {
        for (const initiator of [true, false]) {
          const at = side()
          const waiting = yield* Effect.forkScoped(Effect.flip(open(at, initiator)))
          yield* settle
          yield* TestClock.adjust(SecureConnection.handshakeMillis - 1)
          assert.strictEqual(at.ending(), "open")
          yield* TestClock.adjust(1)
          const error = yield* Fiber.join(waiting)
          assert.strictEqual(error.reason._tag, "Unreachable")
          assert.include(error.message, "no handshake within 10 s")
          assert.strictEqual(at.ending(), "destroyed")
        }
      })
    )
  )

  it.effect("with a changed byte in any message opens at nobody who could be deceived, and sends nothing more", () =>
    check(
      Effect.gen(function* () {
        for (const which of [0, 1, 2]) {
          for (const at of [0, 1, 33, 60, 100, 200]) {
            const [here, there] = [side(), side()]
            const ours = yield* Effect.forkScoped(Effect.exit(open(here, true)))
            const theirs = yield* Effect.forkScoped(Effect.exit(open(there, false)))
            yield* move(here, there, which === 0 ? flip(at) : undefined)
            yield* move(there, here, which === 1 ? flip(at) : undefined)
            yield* move(here, there, which === 2 ? flip(at) : undefined)
            const refusing = which === 1 ? here : there
            if (which > 0) {
              assert.strictEqual(refusing.ending(), "destroyed", `byte ${at} of message ${which + 1}`)
              assert.isEmpty(refusing.pushed)
            }
            here.hangUp("over")
            there.hangUp("over")
            assert.isTrue(Exit.isFailure(yield* Fiber.join(theirs)), `byte ${at} of message ${which + 1}`)
            if (which < 2) assert.isTrue(Exit.isFailure(yield* Fiber.join(ours)))
          }
        }
      })
    )
  )

  it.effect("ends when the other side hangs up, and says so", () =>
    check(
      Effect.gen(function* () {
        const here = side()
        const waiting = yield* Effect.forkScoped(Effect.flip(open(here, true)))
        yield* settle
        here.hangUp("the peer vanished")
        assert.include((yield* Fiber.join(waiting)).message, "the peer vanished")
        assert.strictEqual(here.ending(), "destroyed")
      })
    )
  )

  it.effect("ends with its scope", () =>
    check(
      Effect.gen(function* () {
        const here = side()
        const waiting = yield* Effect.forkScoped(Effect.scoped(open(here, true)))
        yield* settle
        yield* Fiber.interrupt(waiting)
        assert.strictEqual(here.ending(), "destroyed")
      })
    )
  )

  it.effect("fails clearly when this device's key is locked, and tells the peer nothing", () =>
    check(
      Effect.gen(function* () {
        const [here, there] = [side(), side()]
        const keys = Keys.of({
          ...bob,
          box: bob.box,
          sign: () => Effect.fail(new KeysError({ reason: new KeysLocked({ what: "no passphrase was given" }) }))
        })
        const dialling = yield* Effect.forkScoped(Effect.exit(open(here, true)))
        const answering = yield* Effect.forkScoped(Effect.flip(open(there, false, { keys })))
        yield* move(here, there)
        assert.include((yield* Fiber.join(answering)).message, "no passphrase was given")
        assert.isEmpty(there.pushed)
        here.hangUp("over")
        yield* Fiber.join(dialling)
      })
    )
  )

  it.effect("towards another device than the expected one ends before anything is said", () =>
    check(
      Effect.gen(function* () {
        const [here, there] = [side(), side()]
        const dialling = yield* Effect.forkScoped(Effect.flip(open(here, true, { expected: alice.device })))
        yield* Effect.forkScoped(Effect.exit(open(there, false)))
        yield* move(here, there)
        yield* move(there, here)
        const { reason } = yield* Fiber.join(dialling)
        assert.deepInclude(reason, { _tag: "PeerRefused", expected: alice.device, found: bob.device })
        assert.isEmpty(here.pushed)
        there.hangUp("over")
      })
    )
  )
})

describe("an open connection over a scripted wire", () => {
  it.effect("breaks at the first frame that was changed, and keeps those before it", () =>
    check(
      Effect.gen(function* () {
        const length = 3 + 17
        for (let at = 0; at < length; at++) {
          const { here, ours, there, theirs } = yield* connected
          yield* ours.send(Uint8Array.of(1, 2, 3))
          yield* move(here, there)
          yield* ours.send(Uint8Array.of(4, 5, 6))
          yield* move(here, there, flip(at))
          yield* ours.send(Uint8Array.of(7, 8, 9))
          yield* move(here, there)
          assert.deepStrictEqual(Array.from(yield* theirs.receive), [1, 2, 3])
          assert.include((yield* Effect.flip(theirs.receive)).message, "a frame does not open")
          assert.include((yield* Effect.flip(theirs.send(new Uint8Array(1)))).message, "a frame does not open")
          assert.strictEqual(there.ending(), "destroyed")
        }
      })
    )
  )

  const disorders: ReadonlyArray<
    readonly [string, (messages: ReadonlyArray<Uint8Array>) => ReadonlyArray<Uint8Array>]
  > = [
    ["repeated", ([first]) => [first!, first!]],
    ["out of order", ([first, second]) => [second!, first!]],
    ["missing", ([, second]) => [second!]],
    ["cut short", ([first]) => [first!.subarray(0, -1)]],
    ["too large", () => [new Uint8Array(frameBytesMax + 18)]]
  ]
  for (const [what, disorder] of disorders) {
    it.effect(`breaks when a frame is ${what}`, () =>
      check(
        Effect.gen(function* () {
          const { here, ours, there, theirs } = yield* connected
          yield* ours.send(Uint8Array.of(1))
          yield* ours.send(Uint8Array.of(2))
          for (const message of disorder(here.pushed.splice(0))) there.deliver(message)
          const heard = yield* Effect.forkScoped(Effect.flip(Effect.forever(theirs.receive)))
          assert.include((yield* Fiber.join(heard)).message, "the connection broke")
        })
      )
    )
  }

  it.effect("breaks when its own frames come back to it", () =>
    check(
      Effect.gen(function* () {
        const { here, ours } = yield* connected
        yield* ours.send(Uint8Array.of(1))
        yield* move(here, here)
        assert.include((yield* Effect.flip(ours.receive)).message, "the connection broke")
      })
    )
  )

  it.effect("says something every 30 seconds, and hears it", () =>
    check(
      Effect.gen(function* () {
        const { here, ours, there, theirs } = yield* connected
        for (let beat = 0; beat < 10; beat++) {
          yield* TestClock.adjust(SecureConnection.beatMillis)
          assert.lengthOf(here.pushed, 1)
          yield* move(here, there)
          yield* move(there, here)
        }
        yield* ours.send(Uint8Array.of(1))
        yield* move(here, there)
        assert.deepStrictEqual(Array.from(yield* theirs.receive), [1])
      })
    )
  )

  it.effect("ends when nothing was heard for two beats", () =>
    check(
      Effect.gen(function* () {
        const { here, ours } = yield* connected
        const receiving = yield* Effect.forkScoped(Effect.flip(ours.receive))
        yield* TestClock.adjust(SecureConnection.beatMillis * 2)
        yield* settle
        assert.strictEqual(here.ending(), "open")
        yield* TestClock.adjust(SecureConnection.beatMillis)
        assert.include((yield* Fiber.join(receiving)).message, "no sign of life for 60 s")
        assert.strictEqual(here.ending(), "destroyed")
      })
    )
  )

  it.effect("does not take its own deafness for the peer's death", () =>
    check(
      Effect.gen(function* () {
        const { here, ours, there, theirs } = yield* connected
        for (let index = 0; index < SecureConnection.framesWaitingMax; index++) yield* ours.send(Uint8Array.of(index))
        yield* move(here, there)
        assert.isTrue(there.isPaused())
        yield* TestClock.adjust(SecureConnection.beatMillis * 10)
        assert.strictEqual(there.ending(), "open")
        for (let index = 0; index < SecureConnection.framesWaitingMax; index++) {
          assert.deepStrictEqual(Array.from(yield* theirs.receive), [index])
        }
        assert.isFalse(there.isPaused())
      })
    )
  )

  it.effect("gives the farewell's reason as one clean line", () =>
    check(
      Effect.gen(function* () {
        const { here, ours, there, theirs } = yield* connected
        yield* ours.close("good\nbye \u202e" + "x".repeat(500))
        yield* move(here, there)
        const { message } = yield* Effect.flip(theirs.receive)
        assert.match(message, /^connection closed: the peer closed it: "good bye {2}x{1,120}"$/)
        assert.deepStrictEqual([here.ending(), there.ending()], ["closed", "closed"])
      })
    )
  )

  it.effect("that the network cut says what the network said", () =>
    check(
      Effect.gen(function* () {
        const { here, ours } = yield* connected
        here.hangUp("the peer vanished")
        assert.include((yield* Effect.flip(ours.receive)).message, "the network: the peer vanished")
        assert.include((yield* Effect.flip(ours.send(new Uint8Array(1)))).message, "the peer vanished")
      })
    )
  )
})
