/**
 * The blobs of a space on this device: pieces (journal/Blob.ts) as records of a Storage.
 *
 *     blobs/SPACE/c/HASH   a chunk                        blobs/SPACE/p/HASH   a manifest of which chunks may be missing
 *     blobs/SPACE/m/HASH   a manifest: all is here        blobs/SPACE/u/HASH   since when nobody names this blob
 *
 * A blob is here when its manifest is, which is written last: what a crash, an interruption or a full store leaves of a
 * put are chunks that no manifest names. They count for nothing, save the next try their writing, and are swept. A blob
 * that comes from elsewhere has its manifest under `p` until it is whole, so that what came of it stays.
 *
 * Memory holds a few chunks of each blob that is put or read, and its manifest: never the blob. Equal chunks of a space are
 * kept once. Every piece is held against its name when it is read, so that no store and no peer can say anything else.
 *
 * Nothing is counted: a sweep is told which blobs somebody names, finds the others, and removes those that it found
 * so long ago that whoever has put one has had the time to name it. It may run beside puts.
 *
 * One of these works in a space at a time, as its Storage has one opener. Which blobs are named is the caller's to know.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { Storage, StorageError } from "../effects/Storage.ts"
import type { BlobHash, ChunkHash, SpaceId } from "../identity/Id.ts"
import * as Blob from "../journal/Blob.ts"
import { blobGraceMillis, chunksAtOnce } from "./limits.ts"

/** A piece of it is neither here nor to be had; `tried` are the peers that were asked, each with what came of it. */
export class BlobAbsent extends Data.TaggedError("BlobAbsent")<{
  readonly hash: BlobHash
  readonly tried: ReadonlyArray<{ readonly peer: string; readonly what: string }>
}> {
  override get message(): string {
    const asked = this.tried.map(({ peer, what }) => `${peer.slice(0, 10)} ${what}`).join(", ")
    return `the blob ${this.hash.slice(0, 10)} is not here${asked === "" ? ", and no connected peer may be asked for it" : `; asked: ${asked}`}: connect a device that has it`
  }
}

/** It can't be a blob, or what is named is none. Nothing counts of it. */
export class BlobInvalid extends Data.TaggedError("BlobInvalid")<{ readonly what: string; readonly allowed: string }> {
  override get message(): string {
    return `no blob: ${this.what}; allowed: ${this.allowed}`
  }
}

export type BlobError = BlobAbsent | BlobInvalid | StorageError

/** Where a piece comes from that is not here. What it gives is verified by who asks. */
export type Fetch = (piece: Blob.Piece, blob: BlobHash) => Effect.Effect<Uint8Array, BlobAbsent>

export interface Swept {
  readonly blobs: number
  readonly chunks: number
}

export interface BlobStore {
  /** Whole and durable when it succeeds. The buffers of the stream are copied; the same bytes have the same hash. */
  readonly put: <E>(
    bytes: Stream.Stream<Uint8Array, E>,
    options: { readonly type: string }
  ) => Effect.Effect<Blob.BlobRef, BlobInvalid | StorageError | E>
  /** The bytes in order, each chunk verified before it is handed on; what is not here is fetched, and stays here. */
  readonly get: (ref: Blob.BlobRef) => Stream.Stream<Uint8Array, BlobError>
  /** Whether all of it is here. */
  readonly has: (hash: BlobHash) => Effect.Effect<boolean, StorageError>
  /** A piece that is here, verified: for peers. */
  readonly piece: (piece: Blob.Piece) => Effect.Effect<Option.Option<Uint8Array>, StorageError>
  /** Removes what no blob of `named` needs, as far as that was so `blobGraceMillis` ago; at any `nowMillis`. */
  readonly sweep: (named: ReadonlySet<BlobHash>, nowMillis: number) => Effect.Effect<Swept, StorageError>
}

export const make = (storage: Storage["Service"], space: SpaceId, fetch?: () => Fetch): BlobStore => {
  const prefix = `blobs/${space}/`
  const keyOf = (room: Room, hash: string): string => `${prefix}${room}/${hash}`
  const holding = makeHolding(storage, keyOf)

  const read = (room: Room, piece: Blob.Piece) =>
    Effect.map(
      storage.get(keyOf(room, piece.hash)),
      Option.filter((bytes) => Blob.isPiece(piece, bytes))
    )

  /** A damaged record is as good as none where the piece can be had elsewhere or again. */
  const readWhole = (room: Room, piece: Blob.Piece) =>
    Effect.catchIf(
      read(room, piece),
      (error) => error.reason._tag === "StorageCorrupt",
      () => Effect.succeedNone
    )

  const putChunk = (hold: Hold, chunk: Uint8Array) =>
    Effect.suspend(() => {
      const hash = Blob.hashOfChunk(chunk)
      return Effect.as(hold(hash, readWhole("c", { kind: "chunk", hash }), chunk), hash)
    })

  const put: BlobStore["put"] = Effect.fnUntraced(function* (bytes, { type }) {
    if (!Blob.isBlobType(type)) return yield* invalidType(type)
    let size = 0
    const chunks: Array<ChunkHash> = []
    const checked = Stream.tap(bytes, (part) => {
      size += part.length
      return size > Blob.blobSizeMax ? tooLarge(size) : Effect.void
    })
    return yield* holding.during((hold) =>
      Effect.gen(function* () {
        yield* inChunks(checked).pipe(
          Stream.mapEffect((chunk) => putChunk(hold, chunk), { concurrency: chunksAtOnce }),
          Stream.runForEach((hash) => Effect.sync(() => chunks.push(hash)))
        )
        const manifest = Blob.encodeManifest({ size, chunks })
        const hash = Blob.hashOfManifest(manifest)
        const isHere = Option.isSome(yield* readWhole("m", { kind: "manifest", hash }))
        if (!isHere) yield* storage.put(keyOf("m", hash), manifest)
        // nobody names it yet, but somebody is about to
        if (Option.isSome(yield* storage.get(keyOf("u", hash)))) yield* storage.remove(keyOf("u", hash))
        return { hash, size, type }
      })
    )
  })

  /** The manifest, and whether all chunks are said to be here. */
  const manifestOf = Effect.fnUntraced(function* (hash: BlobHash, from: Fetch | undefined) {
    const piece = { kind: "manifest", hash } as const
    for (const room of ["m", "p"] as const) {
      const found = yield* from === undefined ? read(room, piece) : readWhole(room, piece)
      if (Option.isSome(found)) return { bytes: found.value, isWhole: room === "m" }
    }
    if (from === undefined) return yield* new BlobAbsent({ hash, tried: [] })
    const bytes = yield* from(piece, hash)
    yield* storage.put(keyOf("p", hash), bytes)
    return { bytes, isWhole: false }
  })

  const get: BlobStore["get"] = (ref) => {
    const { hash } = ref
    const from = fetch?.()

    const chunkAt = (manifest: Blob.Manifest, at: number) =>
      Effect.gen(function* () {
        const piece = { kind: "chunk", hash: manifest.chunks[at]! } as const
        holding.keep(piece.hash)
        const here = yield* from === undefined ? read("c", piece) : readWhole("c", piece)
        if (Option.isSome(here)) return here.value
        if (from === undefined) return yield* new BlobAbsent({ hash, tried: [] })
        const bytes = yield* from(piece, hash)
        yield* storage.put(keyOf("c", piece.hash), bytes)
        return bytes
      }).pipe(
        Effect.filterOrFail(
          (bytes) => bytes.length === Blob.lengthOfChunk(manifest, at),
          () => notAsNamed(`chunk ${at} of ${hash} has another length`)
        )
      )

    return Stream.unwrap(
      Effect.gen(function* () {
        const fault = Blob.refFault(ref)
        if (fault !== undefined) return yield* notAsNamed(fault)
        const { bytes, isWhole } = yield* manifestOf(hash, from)
        const manifest = yield* Effect.fromResult(Blob.decodeManifest(bytes)).pipe(Effect.mapError(notAsNamed))
        if (manifest.size !== ref.size)
          return yield* notAsNamed(`${hash} has ${manifest.size} bytes, its reference says ${ref.size}`)
        const whole = Effect.andThen(storage.put(keyOf("m", hash), bytes), storage.remove(keyOf("p", hash)))
        const chunks = Stream.fromIterable(manifest.chunks.keys()).pipe(
          Stream.mapEffect((at) => chunkAt(manifest, at), { concurrency: chunksAtOnce })
        )
        return isWhole ? chunks : Stream.onEnd(chunks, whole)
      })
    )
  }

  const manifestIn = Effect.fnUntraced(function* (room: Room, hash: BlobHash) {
    const found = yield* readWhole(room, { kind: "manifest", hash })
    return Option.flatMap(found, (bytes) => Result.getSuccess(Blob.decodeManifest(bytes)))
  })

  /** Whether nobody has named it for so long that it may go. */
  const isForgotten = Effect.fnUntraced(function* (hash: BlobHash, nowMillis: number) {
    const since = Option.map(yield* storage.get(keyOf("u", hash)), (bytes) => Number(new TextDecoder().decode(bytes)))
    // a clock that was put back would keep it for ever
    if (Option.isSome(since) && since.value <= nowMillis) return nowMillis - since.value >= blobGraceMillis
    yield* storage.put(keyOf("u", hash), new TextEncoder().encode(String(nowMillis)))
    return false
  })

  const sweep: BlobStore["sweep"] = (named, nowMillis) =>
    holding.sweeping((removeChunk) =>
      Effect.gen(function* () {
        const all = (yield* storage.list(prefix)).map((key) => {
          const [room, hash] = key.slice(prefix.length).split("/")
          return { room, hash: hash ?? "" }
        })
        const inRoom = (room: Room) => all.flatMap((one) => (one.room === room ? [one.hash as BlobHash] : []))
        const needed = new Set<string>()
        let blobs = 0
        const marked = new Set<BlobHash>(inRoom("u"))
        for (const room of ["m", "p"] as const) {
          for (const hash of inRoom(room)) {
            if (named.has(hash)) {
              if (marked.has(hash)) yield* storage.remove(keyOf("u", hash))
            } else if (yield* isForgotten(hash, nowMillis)) {
              blobs++
              yield* storage.remove(keyOf(room, hash))
              yield* storage.remove(keyOf("u", hash))
              continue
            }
            const manifest = yield* manifestIn(room, hash)
            if (Option.isSome(manifest)) for (const chunk of manifest.value.chunks) needed.add(chunk)
          }
        }
        let chunks = 0
        for (const hash of inRoom("c")) if (!needed.has(hash) && (yield* removeChunk(hash))) chunks++
        return { blobs, chunks }
      })
    )

  return {
    put,
    get,
    has: (hash) => Effect.map(read("m", { kind: "manifest", hash }), Option.isSome),
    piece: Effect.fnUntraced(function* (piece) {
      if (piece.kind === "chunk") return yield* readWhole("c", piece)
      const whole = yield* readWhole("m", piece)
      return Option.isSome(whole) ? whole : yield* readWhole("p", piece)
    }),
    sweep
  }
}

type Room = "c" | "m" | "p" | "u"

/** Writes a chunk unless it is here, and sees to it that no sweep removes it. */
type Hold = (
  hash: ChunkHash,
  here: Effect.Effect<Option.Option<Uint8Array>, StorageError>,
  chunk: Uint8Array
) => Effect.Effect<void, StorageError>

/**
 * Chunks that a put has found or written, and that no manifest names yet. What was held at any time while a sweep runs is
 * kept by that sweep, for it may have read the manifests before this one was written.
 */
const makeHolding = (storage: Storage["Service"], keyOf: (room: Room, hash: string) => string) => {
  const held = new Map<string, { count: number; isFresh: boolean }>()
  let kept: Set<string> | undefined
  // whoever finds a chunk here finds it held, or removed
  const turns = Semaphore.makeUnsafe(turnsMax)
  const sweeps = Semaphore.makeUnsafe(1)

  const hold = (hash: ChunkHash): { count: number; isFresh: boolean } => {
    const known = held.get(hash) ?? { count: 0, isFresh: false }
    known.count++
    held.set(hash, known)
    kept?.add(hash)
    return known
  }
  const write = (entry: { isFresh: boolean }, hash: ChunkHash, here: Parameters<Hold>[1], chunk: Uint8Array) =>
    Effect.gen(function* () {
      if (Option.isSome(yield* here)) return
      // first: a write that is interrupted may have taken place
      entry.isFresh = true
      yield* storage.put(keyOf("c", hash), chunk)
    }).pipe(Semaphore.withPermit(turns))

  /** What a put that failed has written goes, unless another put counts on it. */
  const release = (hashes: ReadonlyArray<ChunkHash>, how: "named" | "failed" | "interrupted") =>
    Effect.gen(function* () {
      for (const hash of hashes) {
        const entry = held.get(hash)!
        entry.count--
        if (how === "named") entry.isFresh = false
        if (entry.count > 0) continue
        held.delete(hash)
        if (how === "failed" && entry.isFresh) yield* Effect.ignore(remove(hash))
      }
    })

  const remove = (hash: string) =>
    Effect.suspend(() =>
      held.has(hash) || kept?.has(hash) === true ? Effect.succeed(false) : storage.remove(keyOf("c", hash))
    ).pipe(Semaphore.withPermits(turns, turnsMax))

  return {
    during: <A, E>(work: (hold: Hold) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        const own: Array<ChunkHash> = []
        const holdOwn: Hold = (hash, here, chunk) =>
          Effect.suspend(() => {
            own.push(hash)
            return write(hold(hash), hash, here, chunk)
          })
        return Effect.onExit(work(holdOwn), (exit) =>
          release(own, Exit.isSuccess(exit) ? "named" : Exit.hasInterrupts(exit) ? "interrupted" : "failed")
        )
      }),
    /** For a chunk that a manifest names: a sweep that began before that was written leaves it alone too. */
    keep: (hash: ChunkHash): void => void kept?.add(hash),
    sweeping: <A, E>(work: (remove: (hash: string) => Effect.Effect<boolean, StorageError>) => Effect.Effect<A, E>) =>
      Effect.suspend(() => {
        kept = new Set(held.keys())
        return Effect.ensuring(
          work(remove),
          Effect.sync(() => {
            kept = undefined
          })
        )
      }).pipe(Semaphore.withPermit(sweeps))
  }
}

/** Puts that look for a chunk at once; a removal takes the places of all. */
const turnsMax = 64

/** Of other sizes: each chunk a buffer of its own, full but for the last. */
const inChunks = <E>(bytes: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E> =>
  Stream.mapAccum(
    bytes,
    () => ({ chunk: new Uint8Array(Blob.chunkBytes), filled: 0 }),
    (state, part) => {
      const full: Array<Uint8Array> = []
      let { chunk, filled } = state
      for (let at = 0; at < part.length;) {
        const taken = part.subarray(at, at + Blob.chunkBytes - filled)
        chunk.set(taken, filled)
        at += taken.length
        filled += taken.length
        if (filled < Blob.chunkBytes) continue
        full.push(chunk)
        chunk = new Uint8Array(Blob.chunkBytes)
        filled = 0
      }
      return [{ chunk, filled }, full]
    },
    { onHalt: ({ chunk, filled }) => (filled === 0 ? [] : [chunk.subarray(0, filled)]) }
  )

const invalidType = (type: string) =>
  new BlobInvalid({
    what: `the type ${JSON.stringify(type.slice(0, 40))}`,
    allowed: `a media type like image/png, 1 to ${Blob.blobTypeCharactersMax} characters of printable ASCII`
  })

const tooLarge = (size: number) =>
  new BlobInvalid({ what: `${size} bytes and more`, allowed: `up to ${Blob.blobSizeMax} bytes` })

const notAsNamed = (what: string) =>
  new BlobInvalid({ what, allowed: "a reference as put returned it, to what its author put" })
