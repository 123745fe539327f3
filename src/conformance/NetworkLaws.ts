/**
 * What every Network handler keeps, as data: run against two devices that can reach each other and a third one.
 *
 * The laws take their world from `NetworkWorld`, so the same list runs over memory, over TLS on loopback and between
 * two machines. They need a clock that runs. What an eavesdropper or a liar on the wire can do is not asked here:
 * that is the business of identity/DeviceChannel.ts and its hostile tests.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { frameBytesMax, type Connection, type Network, type NetworkError } from "../effects/Network.ts"
import type { DeviceId } from "../identity/Id.ts"
import { expect, expectFailure, expectSame, LawBroken, type Law } from "./Law.ts"

interface Member {
  readonly device: DeviceId
  readonly network: Network["Service"]
}

/** `bob` listens, `alice` and `carol` dial; nobody else connects to `bob` meanwhile. */
export class NetworkWorld extends Context.Service<
  NetworkWorld,
  {
    readonly alice: Member
    readonly bob: Member & { readonly address: string }
    readonly carol: Member
    /** Well formed, and nobody listens there. */
    readonly deserted: string
    /** Not an address of this handler. */
    readonly nonsense: string
  }
>()("aura/conformance/NetworkWorld") {}

type World = NetworkWorld["Service"]
type Ends = { readonly ours: Connection; readonly theirs: Connection }

const law = (name: string, check: (world: World) => Effect.Effect<void, unknown, Scope.Scope>): Law<NetworkWorld> => ({
  name,
  check: Effect.scoped(Effect.flatMap(NetworkWorld, check))
})

/** Alice dials Bob, as one who knows him; Bob accepts. */
const meet = ({ alice, bob }: World): Effect.Effect<Ends, NetworkError, Scope.Scope> =>
  Effect.map(
    Effect.all([alice.network.connect(bob.address, bob.device), bob.network.accept], { concurrency: 2 }),
    ([ours, theirs]) => ({ ours, theirs })
  )

/** `length` bytes that differ from those of any other seed in the first four bytes, if there are that many. */
const pattern = (length: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) bytes[index] = (index * 31 + seed * 7 + (index >>> 8)) & 255
  if (length >= 4) new DataView(bytes.buffer).setUint32(0, seed)
  return bytes
}

const receiveMany = (connection: Connection, count: number): Effect.Effect<Array<Uint8Array>, NetworkError> =>
  Effect.forEach(Array.from({ length: count }), () => connection.receive)

const sendAll = (connection: Connection, frames: ReadonlyArray<Uint8Array>): Effect.Effect<void, NetworkError> =>
  Effect.forEach(frames, (frame) => connection.send(frame), { discard: true })

const isClosedWith =
  (part: string) =>
  (error: NetworkError): boolean =>
    error.reason._tag === "ConnectionClosed" && error.reason.reason.includes(part)

const isClosed = isClosedWith("")

export const networkLaws: ReadonlyArray<Law<NetworkWorld>> = [
  law(
    "each end knows the other's device and who opened the connection",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      yield* expectSame([ours.peer, theirs.peer], [world.bob.device, world.alice.device], "peers")
      yield* expectSame([ours.initiator, theirs.initiator], [true, false], "initiators")
      yield* expect(ours.address !== "" && theirs.address !== "", "an address is empty")
    })
  ),
  law(
    "the channel key is equal at both ends, 32 bytes, and another one for each connection",
    Effect.fnUntraced(function* (world) {
      const first = yield* meet(world)
      const second = yield* meet(world)
      yield* expectSame(first.ours.channelKey, first.theirs.channelKey, "channel keys of one connection")
      yield* expectSame(second.ours.channelKey, second.theirs.channelKey, "channel keys of the other connection")
      yield* expectSame(first.ours.channelKey.length, 32, "bytes of a channel key")
      yield* expect(
        first.ours.channelKey.some((byte, index) => byte !== second.ours.channelKey[index]),
        "two connections share a channel key"
      )
    })
  ),
  law(
    "frames arrive whole and in order, in both directions at once",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      const frames = Array.from({ length: 300 }, (_, seed) => pattern((seed * 37) % 5000, seed))
      const [, , atBob, atAlice] = yield* Effect.all(
        [sendAll(ours, frames), sendAll(theirs, frames), receiveMany(theirs, 300), receiveMany(ours, 300)],
        { concurrency: 4 }
      )
      yield* expectSame(atBob, frames, "frames at the acceptor")
      yield* expectSame(atAlice, frames, "frames at the initiator")
    })
  ),
  law(
    "an empty frame is a frame, and the largest one arrives",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      const frames = [new Uint8Array(0), pattern(frameBytesMax, 1), new Uint8Array(0), pattern(1, 2)]
      const [, received] = yield* Effect.all([sendAll(ours, frames), receiveMany(theirs, 4)], { concurrency: 2 })
      yield* expectSame(
        received.map(({ length }) => length),
        frames.map(({ length }) => length),
        "lengths"
      )
      yield* expectSame(received, frames, "frames")
    })
  ),
  law(
    "a frame beyond the limit is a defect of the sender and reaches nobody",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      const exit = yield* Effect.exit(ours.send(new Uint8Array(frameBytesMax + 1)))
      yield* expectSame(exit._tag, "Failure", "sending too much")
      yield* ours.send(pattern(8, 5))
      yield* expectSame(yield* theirs.receive, pattern(8, 5), "the next frame")
    })
  ),
  law(
    "a received frame belongs to the receiver: changing it changes nothing at the sender",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      const frame = pattern(64, 9)
      yield* ours.send(frame)
      const received = yield* theirs.receive
      received.fill(0)
      yield* expectSame(frame, pattern(64, 9), "the sender's bytes")
    })
  ),
  law(
    "a sender waits while the peer does not read, and loses nothing by it",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      const count = 128
      let taken = 0
      const sender = yield* Effect.forkScoped(
        Effect.forEach(
          Array.from({ length: count }, (_, seed) => seed),
          (seed) => Effect.tap(ours.send(pattern(frameBytesMax, seed)), () => Effect.sync(() => taken++)),
          { discard: true }
        )
      )
      let before = -1
      while (before !== taken) {
        before = taken
        yield* Effect.sleep(150)
      }
      yield* expect(taken > 0 && taken < count, `${taken} of ${count} frames were taken with nobody reading`)
      for (let seed = 0; seed < count; seed++) {
        const frame = yield* theirs.receive
        const found = new DataView(frame.buffer, frame.byteOffset).getUint32(0)
        yield* expect(frame.length === frameBytesMax && found === seed, `frame ${found} stands where ${seed} belongs`)
      }
      yield* Fiber.join(sender)
    })
  ),
  law(
    "a long stream never stalls while both ends are at work",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      const frame = pattern(1000, 3)
      const times = Array.from({ length: 12_000 })
      const stream = (from: Connection, to: Connection) =>
        Effect.all(
          [
            Effect.forEach(times, () => from.send(frame), { discard: true }),
            Effect.forEach(times, () => to.receive, { discard: true })
          ],
          { concurrency: 2 }
        ).pipe(
          // Far more than the slowest machine needs, and less than the next sign of life, which would hide a stall.
          Effect.timeoutOrElse({
            duration: 25_000,
            orElse: () => Effect.fail(new LawBroken({ what: "12 MB did not arrive within 25 s" }))
          })
        )
      // One direction at a time: traffic the other way would hide a stall, too.
      yield* stream(ours, theirs)
      yield* stream(theirs, ours)
    })
  ),
  law(
    "an interrupted receive loses no frame",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      for (let seed = 0; seed < 20; seed++) {
        const impatient = yield* Effect.forkChild(theirs.receive)
        if (seed % 2 === 0) yield* Effect.yieldNow
        yield* Fiber.interrupt(impatient)
        yield* ours.send(pattern(16, seed))
        yield* expectSame(yield* theirs.receive, pattern(16, seed), "the frame after an interrupted receive")
      }
    })
  ),
  law(
    "closing lets what was sent arrive, then tells the peer why",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      yield* sendAll(ours, [pattern(10, 1), pattern(10, 2)])
      yield* ours.close("going home")
      yield* expectSame(yield* receiveMany(theirs, 2), [pattern(10, 1), pattern(10, 2)], "frames before the end")
      yield* expectFailure(theirs.receive, isClosedWith("going home"), "receiving after the peer closed")
      yield* expectFailure(theirs.receive, isClosedWith("going home"), "receiving once more")
      yield* expectFailure(theirs.send(pattern(1, 1)), isClosed, "sending after the peer closed")
    })
  ),
  law(
    "who closed a connection neither sends nor receives on it any more",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      yield* theirs.send(pattern(4, 1))
      yield* ours.close("enough")
      yield* expectFailure(ours.receive, isClosedWith("enough"), "receiving after closing")
      yield* expectFailure(ours.send(pattern(4, 2)), isClosedWith("enough"), "sending after closing")
      yield* ours.close("again")
      yield* expectFailure(theirs.receive, isClosedWith("enough"), "what the peer learns")
    })
  ),
  law(
    "a reason travels as one line of at most 120 characters",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      yield* ours.close(`line one\nline two ${"x".repeat(500)}`)
      const error = yield* expectFailure(theirs.receive, isClosedWith("line one line two"), "receiving")
      yield* expect(!error.message.includes("\n"), "the reason breaks the line")
      yield* expect(error.message.length < 220, `the message has ${error.message.length} characters`)
    })
  ),
  law(
    "a waiting receive and a waiting send are woken when the peer closes",
    Effect.fnUntraced(function* (world) {
      const { ours, theirs } = yield* meet(world)
      const receiving = yield* Effect.forkScoped(Effect.flip(ours.receive))
      const sending = yield* Effect.forkScoped(
        Effect.flip(Effect.forever(Effect.suspend(() => ours.send(pattern(frameBytesMax, 1)))))
      )
      yield* Effect.sleep(100)
      yield* theirs.close("too much")
      yield* expect(isClosedWith("too much")(yield* Fiber.join(receiving)), "the receiver got another reason")
      yield* expect(isClosed(yield* Fiber.join(sending)), "the sender got another failure")
    })
  ),
  law(
    "a connection ends with the scope it was opened or accepted in",
    Effect.fnUntraced(function* ({ alice, bob }) {
      const accepted = yield* Effect.forkScoped(bob.network.accept)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const ours = yield* alice.network.connect(bob.address, bob.device)
          yield* ours.send(pattern(4, 1))
          const theirs = yield* Fiber.join(accepted)
          yield* expectSame(yield* theirs.receive, pattern(4, 1), "a frame while the scope is open")
        })
      )
      const theirs = yield* Fiber.join(accepted)
      yield* expectFailure(theirs.receive, isClosed, "receiving after the initiator's scope ended")

      const dialling = yield* Effect.forkScoped(alice.network.connect(bob.address, bob.device))
      yield* Effect.scoped(bob.network.accept)
      const ours = yield* Fiber.join(dialling)
      yield* expectFailure(ours.receive, isClosed, "receiving after the acceptor's scope ended")
    })
  ),
  law(
    "another device than the expected one is refused, and its accept never hears of the attempt",
    Effect.fnUntraced(function* (world) {
      const { alice, bob, carol } = world
      const error = yield* expectFailure(
        alice.network.connect(bob.address, carol.device),
        ({ reason }) => reason._tag === "PeerRefused",
        "connecting to somebody else"
      )
      if (error.reason._tag === "PeerRefused") {
        yield* expectSame([error.reason.expected, error.reason.found], [carol.device, bob.device], "the refusal")
      }
      const [fromCarol, atBob] = yield* Effect.all([carol.network.connect(bob.address), bob.network.accept], {
        concurrency: 2
      })
      yield* expectSame(atBob.peer, carol.device, "who is accepted next")
      yield* expectSame(fromCarol.peer, bob.device, "whom the next one reached")
    })
  ),
  law(
    "a device does not connect to itself",
    Effect.fnUntraced(function* ({ bob }) {
      yield* expectFailure(
        bob.network.connect(bob.address),
        ({ reason }) => reason._tag === "PeerRefused",
        "connecting to oneself"
      )
    })
  ),
  law(
    "where nobody listens is unreachable, and what is no address is said to be none",
    Effect.fnUntraced(function* ({ alice, bob, deserted, nonsense }) {
      const tagOf = (address: string) =>
        Effect.map(Effect.flip(alice.network.connect(address, bob.device)), ({ reason }) => reason._tag)
      yield* expectSame(yield* tagOf(deserted), "Unreachable", "connecting to nobody")
      yield* expectSame(yield* tagOf(nonsense), "AddressInvalid", "connecting to nonsense")
    })
  ),
  law(
    "many connections at once stay apart, and one that ends leaves the others alone",
    Effect.fnUntraced(function* (world) {
      const pairs: Array<Ends> = []
      for (let index = 0; index < 24; index++) pairs.push(yield* meet(world))
      yield* pairs[0]!.ours.close("just this one")
      const heard = yield* Effect.forEach(
        pairs.slice(1),
        ({ ours, theirs }, index) => Effect.andThen(ours.send(pattern(32, index)), theirs.receive),
        { concurrency: 24 }
      )
      yield* expectSame(
        heard,
        pairs.slice(1).map((_, index) => pattern(32, index)),
        "what each heard"
      )
      yield* expectSame(
        new Set(pairs.map(({ ours }) => String(ours.channelKey))).size,
        pairs.length,
        "different channel keys"
      )
    })
  )
]
