/** Blobs between agents: fetched from members when they are wanted, chunk by chunk; and peers that lie, wait and pry. */
import { assert, describe, it } from "@effect/vitest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { App, Aura, Blob, BlobRef, ORMap, LWWRegister, Policy } from "aura"
import { Storage } from "../../src/effects/Storage.ts"
import * as ClockTime from "../../src/handlers/memory/ClockTime.ts"
import * as MemoryJournal from "../../src/handlers/memory/MemoryJournal.ts"
import * as MemoryKeys from "../../src/handlers/memory/MemoryKeys.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as MemorySecretStore from "../../src/handlers/memory/MemorySecretStore.ts"
import * as MemoryStorage from "../../src/handlers/memory/MemoryStorage.ts"
import * as NodeVerifier from "../../src/handlers/node/NodeVerifier.ts"
import { blobHash, chunkHash } from "../../src/identity/Id.ts"
import { chunkBytes, encodeManifest, hashOfChunk, hashOfManifest, type Piece } from "../../src/journal/Blob.ts"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import * as Agent from "../../src/runtime/Agent.ts"
import * as Blobs from "../../src/runtime/Blobs.ts"
import { blobGraceMillis, pieceMillis } from "../../src/runtime/limits.ts"
import { seeksMax } from "../../src/sync/limits.ts"
import type * as Message from "../../src/sync/Message.ts"
import * as Budget from "../../src/trust/Budget.ts"
import { bytesOf, put, read, type } from "./blobLaws.ts"
import { alice, bob, bring, installation, installed, mallory, quiet, runOf, until } from "./fixtures.ts"
import { budget, speaker, world } from "./flowing.ts"

const root = RecoveryWords.rootOf(Result.getOrThrow(RecoveryWords.seed(RecoveryWords.make(new Uint8Array(32).fill(9)))))

const app = App.make("albums", {
  version: 1,
  state: { photos: ORMap({ title: LWWRegister(Schema.String), image: Blob() }) },
  operations: (operation) => ({
    add: operation({
      payload: Schema.Struct({ title: Schema.String, image: BlobRef }),
      writes: ["photos/{new}:put"],
      policy: Policy.make({ capabilities: ["photo:write"] }),
      plan: ({ photos }, { image, title }, { newId }) => {
        const id = newId()
        return { changes: [photos.put(id, { title, image })], result: id }
      }
    }),
    drop: operation({
      payload: Schema.Struct({ id: Schema.String }),
      writes: ["photos/{id}/image:set"],
      policy: Policy.make({ capabilities: ["photo:write"] }),
      plan: ({ photos }, { id }) => ({ changes: [photos.at(id).image.set(undefined)], result: undefined })
    })
  })
})

/** What was done with a store, by key. */
const watched = (storage: Storage["Service"] = MemoryStorage.make()) => {
  const got: Array<string> = []
  const seen = { ...storage, get: (key: string) => (got.push(key), storage.get(key)) }
  return { storage: seen, chunksRead: () => got.filter((key) => key.includes("/c/")).length }
}

const effects = (hub: MemoryNetwork.Hub, address: string, seed: number, storage?: Storage["Service"]) => {
  const options = { seed: new Uint8Array(32).fill(seed) }
  const others = Layer.mergeAll(
    MemoryJournal.layer(),
    MemorySecretStore.layer,
    MemoryKeys.layer(options),
    MemoryNetwork.layer(hub, { device: MemoryKeys.make(options).device, address }),
    NodeVerifier.layer,
    ClockTime.layer(),
    SecureRandom.layerWebCrypto
  )
  return storage === undefined ? others : Layer.merge(others, Layer.succeed(Storage, storage))
}

const all = async (parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
  const found: Array<Uint8Array> = []
  for await (const part of parts) found.push(part)
  return Uint8Array.from(Buffer.concat(found))
}

const tagOf = (error: unknown): unknown => (error as { readonly _tag?: string })._tag

describe("an application's blobs", () => {
  it("are put before they are named, come from a member when they are wanted, and stay", async () => {
    const hub = MemoryNetwork.hub()
    const hers = watched()
    const a = await Aura.open({ app, effects: effects(hub, "alice", 1, hers.storage), found: { root } })
    const bytes = bytesOf(5 * chunkBytes + 3)
    const image = await a.blobs.put(bytes, { type: "image/png" })
    const id = await a.perform("add", { title: "sea", image })
    const code = await a.pair({ address: "alice" })
    const his = MemoryStorage.make()
    const b = await Aura.open({ app, effects: effects(hub, "bob", 2, his), join: { code, name: "Bob" } })
    assert.deepStrictEqual(b.state().photos.get(id), { title: "sea", image })
    assert.deepStrictEqual(await Effect.runPromise(his.list("blobs/")), [], "nothing comes before it is wanted")
    assert.deepStrictEqual(await all(b.blobs.get(image)), bytes)
    await a.close()
    assert.deepStrictEqual(await all(b.blobs.get(image)), bytes)
    await b.perform("drop", { id })
    assert.isUndefined(b.state().photos.get(id)?.image)
    await b.close()
  })

  it("last as long as state names them, and a day", async () => {
    const only = await Aura.open({
      app,
      effects: effects(MemoryNetwork.hub(), "alice", 1, MemoryStorage.make()),
      found: { root }
    })
    const image = await only.blobs.put(bytesOf(10), { type })
    const id = await only.perform("add", { title: "sea", image })
    const blobs = only.agent.blobs!(only.space)
    const sweep = (millis: number) => Effect.runPromise(blobs.sweep(Blobs.named(only.replica.ledger()), millis))
    const isHere = () => Effect.runPromise(blobs.has(image.hash))
    for (const day of [1, 3, 5]) await sweep(day * blobGraceMillis)
    assert.isTrue(await isHere())
    await only.perform("drop", { id })
    await sweep(7 * blobGraceMillis)
    assert.isTrue(await isHere())
    await sweep(8 * blobGraceMillis)
    assert.isFalse(await isHere())
    await only.close()
  })

  it("are refused by name where there is no store, no source and no device that has them", async () => {
    const hub = MemoryNetwork.hub()
    const bare = await Aura.open({ app, effects: effects(hub, "alice", 1), found: { root } })
    const image = { hash: blobHash(new Uint8Array(32)), size: 3, type }
    assert.strictEqual(
      tagOf(await bare.blobs.put(new Uint8Array(1), { type }).catch((error: unknown) => error)),
      "BlobsUnavailable"
    )
    assert.strictEqual(tagOf(await all(bare.blobs.get(image)).catch((error: unknown) => error)), "BlobsUnavailable")
    await bare.close()
    const storage = MemoryStorage.make()
    const full = await Aura.open({ app, effects: effects(hub, "bob", 2, storage), found: { root } })
    const broken = (async function* () {
      yield new Uint8Array(chunkBytes)
      throw new TypeError("the camera is gone")
    })()
    const failed = await full.blobs.put(broken, { type }).catch((error: unknown) => error)
    assert.include(String(failed), "the camera is gone")
    assert.deepStrictEqual(await Effect.runPromise(storage.list("blobs/")), [])
    const absent = await all(full.blobs.get(image)).catch((error: unknown) => error)
    assert.strictEqual(tagOf(absent), "BlobAbsent")
    assert.include(String(absent), "no connected peer")
    await full.close()
  })

  it("go on where they were cut off, and come from the next member where one has them not", async () => {
    const hub = MemoryNetwork.hub()
    const hers = watched()
    const a = await Aura.open({ app, effects: effects(hub, "alice", 1, hers.storage), found: { root } })
    const bytes = bytesOf(6 * chunkBytes)
    const image = await a.blobs.put(bytes, { type })
    const join = async (name: string, seed: number, storage: Storage["Service"]) =>
      Aura.open({
        app,
        effects: effects(hub, name, seed, storage),
        join: { code: await a.pair({ address: "alice" }), name }
      })
    const b = await join("bob", 2, MemoryStorage.make())
    const room = MemoryStorage.make({ limitBytes: 4 * chunkBytes })
    const large = MemoryStorage.make()
    let isFull = true
    const c = await join("carol", 3, {
      get: (key) => large.get(key),
      remove: (key) => large.remove(key),
      list: (prefix) => large.list(prefix),
      put: (key, some) => (isFull ? Effect.andThen(room.put(key, some), large.put(key, some)) : large.put(key, some))
    })
    await c.connect("bob")
    while (c.agent.links().length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
    const before = hers.chunksRead()
    const error = await all(c.blobs.get(image)).catch((failure: unknown) => failure)
    assert.strictEqual((error as { reason?: { _tag: string } }).reason?._tag, "StorageFull")
    const came = (await Effect.runPromise(large.list("blobs/"))).filter((key) => key.includes("/c/")).length
    assert.strictEqual(came, 3)
    isFull = false
    const between = hers.chunksRead()
    assert.deepStrictEqual(await all(c.blobs.get(image)), bytes)
    assert.isAtLeast(between - before, came)
    assert.strictEqual(hers.chunksRead() - between, 6 - came)

    const others = bytesOf(2 * chunkBytes, 9)
    const second = await b.blobs.put(others, { type })
    const asked = hers.chunksRead()
    assert.deepStrictEqual(await all(c.blobs.get(second)), others)
    assert.strictEqual(c.agent.links()[0]?.connection.peer, a.device, "who has it not was asked first")
    assert.strictEqual(hers.chunksRead(), asked)
    await Promise.all([a, b, c].map((one) => one.close()))
  })
})

/** Alice's agent with a store of blobs, and a space with Bob and Carol. */
const home = (storage: Storage["Service"], limited?: number) =>
  Effect.gen(function* () {
    const on = installation(alice)
    const { authority, space } = limited === undefined ? world(1) : world(1, budget(limited))
    yield* bring(on, space, runOf(authority))
    const hub = MemoryNetwork.hub()
    const services = yield* Layer.build(
      Agent.layer.pipe(
        Layer.provide(installed(on)),
        Layer.provide(Layer.succeed(Storage, storage)),
        Layer.provide(MemoryNetwork.layer(hub, { device: on.keys.device, address: "alice" }))
      )
    )
    const agent = Context.get(services, Agent.Agent)
    return { agent, blobs: agent.blobs!(space), hub, on, replica: agent.replica(space)!, space }
  })

const piecesIn = (heard: ReadonlyArray<Message.Message>) =>
  heard.flatMap((message) => (message._tag === "Piece" ? [message] : []))
const seeksIn = (heard: ReadonlyArray<Message.Message>) =>
  heard.flatMap((message) => (message._tag === "Seek" ? [message] : []))

const nothing = (at: number): Piece => ({ kind: "chunk", hash: chunkHash(new Uint8Array(32).fill(at)) })

describe("a peer that seeks", () => {
  it.effect("is given what is here, and told what is not, and both is paid for", () =>
    Effect.gen(function* () {
      const { blobs, hub, replica, space } = yield* home(MemoryStorage.make())
      const ref = yield* put(blobs, bytesOf(chunkBytes + 1))
      const his = yield* speaker(hub, space)
      yield* quiet
      const account = yield* replica.spending.account(bob.device)
      const spent = () => account.spent().reduce((sum, one) => sum + one.spent, 0)
      const before = spent()
      for (const piece of [{ kind: "manifest", hash: ref.hash } as const, nothing(1)])
        yield* his.say({ _tag: "Seek", space: his.tag, piece })
      yield* until("both are answered", () => piecesIn(his.heard).length === 2)
      const [manifest, none] = piecesIn(his.heard)
      assert.strictEqual(hashOfManifest(manifest!.bytes!), ref.hash)
      assert.isUndefined(none!.bytes)
      const afterTwo = spent()
      assert.isAtLeast(afterTwo - before, 4)
      yield* his.say({ _tag: "Seek", space: his.tag, piece: { kind: "chunk", hash: hashOfChunk(bytesOf(chunkBytes)) } })
      yield* until("the chunk comes", () => piecesIn(his.heard).length === 3)
      yield* until("it was charged", () => spent() - afterTwo >= Budget.costOf(chunkBytes))
      // however often, one after the other
      for (let at = 0; at < 3 * seeksMax; at++) {
        yield* his.say({ _tag: "Seek", space: his.tag, piece: nothing(at) })
        yield* until("it is answered", () => piecesIn(his.heard).length === 4 + at)
      }
      assert.strictEqual(his.end.why, "")
    })
  )

  it.effect("waits when what may be spent on it is spent", () =>
    Effect.gen(function* () {
      const { agent, blobs, hub, space } = yield* home(MemoryStorage.make(), 100)
      yield* put(blobs, bytesOf(chunkBytes))
      const his = yield* speaker(hub, space)
      yield* quiet
      yield* his.say({ _tag: "Seek", space: his.tag, piece: { kind: "chunk", hash: hashOfChunk(bytesOf(chunkBytes)) } })
      yield* until("it is over budget", () => agent.links().some((link) => link.isOverBudget(space)))
      assert.deepStrictEqual(piecesIn(his.heard), [])
    })
  )

  it.effect("more at once than may be, breaks the protocol, and no more is read for it", () =>
    Effect.gen(function* () {
      let reads = 0
      const stuck = {
        ...MemoryStorage.make(),
        get: () =>
          Effect.andThen(
            Effect.sync(() => reads++),
            Effect.never
          )
      }
      const { hub, space } = yield* home(stuck)
      const his = yield* speaker(hub, space)
      yield* quiet
      for (let at = 0; at < seeksMax; at++) yield* his.say({ _tag: "Seek", space: his.tag, piece: nothing(at) })
      yield* quiet
      assert.strictEqual(his.end.why, "")
      yield* his.say({ _tag: "Seek", space: his.tag, piece: nothing(seeksMax) })
      yield* until("it is closed", () => his.end.why.includes("pieces sought at once"))
      assert.strictEqual(reads, 1)
    })
  )

  it.effect("and may not read the space, hears what it would hear if there were none, and nothing is read for it", () =>
    Effect.gen(function* () {
      const { storage, chunksRead } = watched()
      const { blobs, hub, space } = yield* home(storage)
      const ref = yield* put(blobs, bytesOf(10))
      const before = chunksRead()
      const hers = yield* speaker(hub, space, mallory.device)
      for (let at = 0; at < 3 * seeksMax; at++)
        yield* hers.say({ _tag: "Seek", space: hers.tag, piece: { kind: "manifest", hash: ref.hash } })
      yield* hers.say({ _tag: "Seek", space: hers.tag, piece: { kind: "chunk", hash: hashOfChunk(bytesOf(10)) } })
      yield* hers.say({ _tag: "Piece", space: hers.tag, piece: nothing(1), bytes: undefined })
      yield* quiet
      assert.deepStrictEqual(
        hers.heard.filter(({ _tag }) => _tag !== "Hello"),
        []
      )
      assert.strictEqual(hers.end.why, "")
      assert.strictEqual(chunksRead(), before)
    })
  )
})

describe("a peer that is asked", () => {
  const bytes = bytesOf(2 * chunkBytes)
  const chunks = [0, 1].map((at) => hashOfChunk(bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes)))
  const manifest = encodeManifest({ size: bytes.length, chunks })
  const ref = { hash: hashOfManifest(manifest), size: bytes.length, type }

  /** Alice wants the blob, and Bob answers as he likes. */
  const wanting = (answer: (piece: Piece) => Uint8Array | undefined | "silence") =>
    Effect.gen(function* () {
      const storage = MemoryStorage.make()
      const { agent, blobs, hub, space } = yield* home(storage)
      const his = yield* speaker(hub, space)
      yield* until("they speak of the space", () => agent.links().some((link) => link.giver(space) !== undefined))
      const wanted = yield* Effect.forkChild(Effect.result(read(blobs.get(ref))))
      let answered = 0
      const serve = Effect.gen(function* () {
        for (; answered < seeksIn(his.heard).length; answered++) {
          const { piece } = seeksIn(his.heard)[answered]!
          const said = answer(piece)
          if (said !== "silence") yield* his.say({ _tag: "Piece", space: his.tag, piece, bytes: said })
        }
      })
      const settled = Effect.gen(function* () {
        for (let turn = 0; turn < 20; turn++) {
          yield* serve
          yield* quiet
        }
      })
      const outcome = Effect.map(Fiber.join(wanted), (result) =>
        Result.isSuccess(result) ? "all" : result.failure.message
      )
      return { his, outcome, settled, storage, blobs }
    })

  const honest = (piece: Piece): Uint8Array | undefined => {
    if (piece.hash === ref.hash) return manifest
    const at = chunks.findIndex((hash) => hash === piece.hash)
    return at < 0 ? undefined : bytes.slice(at * chunkBytes, (at + 1) * chunkBytes)
  }

  it.effect("brings it", () =>
    Effect.gen(function* () {
      const { blobs, outcome, settled } = yield* wanting(honest)
      yield* settled
      assert.strictEqual(yield* outcome, "all")
      assert.isTrue(yield* blobs.has(ref.hash))
    })
  )

  const lies: ReadonlyArray<readonly [string, (piece: Piece) => Uint8Array | undefined]> = [
    ["another manifest", () => encodeManifest({ size: 1, chunks: [chunks[0]!] })],
    ["no bytes", () => new Uint8Array(0)],
    ["one altered byte", (piece) => honest(piece)!.map((byte, at) => (at === 9 ? byte ^ 1 : byte))],
    [
      "another chunk",
      (piece) =>
        piece.kind === "chunk" ? honest({ kind: "chunk", hash: chunks.find((hash) => hash !== piece.hash)! }) : manifest
    ]
  ]
  for (const [name, lie] of lies) {
    it.effect(`and brings ${name}, is let go, and nothing of it is kept`, () =>
      Effect.gen(function* () {
        const { his, outcome, settled, storage } = yield* wanting(lie)
        yield* settled
        assert.match(yield* outcome, /brought other bytes|hung up/u)
        assert.include(his.end.why, "other bytes than its name says")
        const chunksKept = (yield* storage.list("blobs/")).filter((key) => key.includes("/c/"))
        assert.deepStrictEqual(chunksKept, [])
      })
    )
  }

  it.effect("and has it not, is told of by name", () =>
    Effect.gen(function* () {
      const { his, outcome, settled } = yield* wanting(() => undefined)
      yield* settled
      assert.include(yield* outcome, `${bob.device.slice(0, 10)} has it not`)
      assert.strictEqual(his.end.why, "")
    })
  )

  it.effect("and never answers, is given up, and what comes too late is no breach", () =>
    Effect.gen(function* () {
      const { his, outcome, settled } = yield* wanting((piece) => (piece.kind === "manifest" ? manifest : "silence"))
      yield* settled
      yield* TestClock.adjust(pieceMillis)
      yield* settled
      assert.include(yield* outcome, "does not answer")
      assert.strictEqual(seeksIn(his.heard).length, 3)
      for (const hash of chunks)
        yield* his.say({
          _tag: "Piece",
          space: his.tag,
          piece: { kind: "chunk", hash },
          bytes: honest({ kind: "chunk", hash })
        })
      yield* quiet
      assert.strictEqual(his.end.why, "")
      yield* his.say({ _tag: "Piece", space: his.tag, piece: nothing(1), bytes: undefined })
      yield* until("it is closed", () => his.end.why.includes("not sought"))
    })
  )

  it.effect("and brings what nobody sought, is let go", () =>
    Effect.gen(function* () {
      const { hub, space } = yield* home(MemoryStorage.make())
      const his = yield* speaker(hub, space)
      yield* quiet
      yield* his.say({ _tag: "Piece", space: his.tag, piece: nothing(1), bytes: new Uint8Array(chunkBytes) })
      yield* until("it is closed", () => his.end.why.includes("not sought"))
    })
  )

  it.effect("and hangs up, leaves nobody waiting", () =>
    Effect.gen(function* () {
      const { his, outcome, settled } = yield* wanting(() => "silence")
      yield* his.say({ _tag: "Hello", version: 1, spaces: [] })
      yield* settled
      assert.include(yield* outcome, "hung up")
    })
  )
})

it.effect("a sweep of an agent leaves what state names, and removes the rest in its time", () =>
  Effect.gen(function* () {
    const storage = MemoryStorage.make()
    const { blobs, on } = yield* home(storage)
    const ref = yield* put(blobs, bytesOf(10))
    yield* TestClock.adjust("1 hour")
    yield* quiet
    assert.isTrue(yield* blobs.has(ref.hash))
    on.clock.millis += 25 * 3_600_000
    yield* TestClock.adjust("1 hour")
    yield* quiet
    assert.isFalse(yield* blobs.has(ref.hash))
    assert.isTrue(Option.isNone(yield* blobs.piece({ kind: "manifest", hash: ref.hash })))
  })
)
