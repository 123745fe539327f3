/**
 * Pieces of blobs over one connection: those that the peer seeks are read and sent, those that it brings are verified.
 *
 * Both directions are bounded by number: a piece that is sought holds one of `seeksMax` places until its answer has left
 * here, so a peer that asks and does not read fills nothing. What the peer is asked for holds a place until it answers,
 * however late; one that leaves all of them taken is asked for no more. One fiber reads for the peer, so that no store
 * that is slow holds up journals. Everything leaves by the outbox, permitted and paid as what tells of the space.
 *
 * A peer that brings what nobody asked for, or bytes that their name does not fit, breaks the protocol.
 */
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Piece } from "../journal/Blob.ts"
import { isPiece } from "../journal/Blob.ts"
import { seeksMax } from "../sync/limits.ts"
import type * as Message from "../sync/Message.ts"
import { chunksAtOnce, pieceMillis } from "./limits.ts"

/** This peer is not the one to have it from; another one may be. */
export class PieceFailed extends Data.TaggedError("PieceFailed")<{ readonly what: string }> {
  override get message(): string {
    return `the peer ${this.what}`
  }
}

export interface Pieces {
  /** None: the peer has it not. */
  readonly seek: (tag: Message.Tag, piece: Piece) => Effect.Effect<Option.Option<Uint8Array>, PieceFailed>
  /** How the message breaks the protocol, if it does; `read` has the piece if the peer may have it. */
  readonly receive: (message: Message.OfBlobs, read: Read) => string | undefined
  /** A message has left, or never will. */
  readonly left: (message: Message.Message) => void
}

/** A piece that is here, for this peer. Asked for in its turn: the peer may have lost the right meanwhile. */
type Read = (piece: Piece) => Effect.Effect<Option.Option<Uint8Array>>

/** Begins to answer. Ends with the scope, and whoever waits for an answer is told. */
export const make = Effect.fnUntraced(function* (
  offer: (message: Message.Message) => boolean
): Effect.fn.Return<Pieces, never, Scope.Scope> {
  const questions = yield* Queue.bounded<{ readonly message: Message.OfBlobs; readonly read: Read }>(seeksMax)
  /** Of the peer's, those whose answers have not left. */
  let unanswered = 0
  const pending = new Map<string, Deferred.Deferred<Option.Option<Uint8Array>, PieceFailed>>()
  const places = Semaphore.makeUnsafe(chunksAtOnce)

  const answer = Effect.gen(function* () {
    const { message, read } = yield* Queue.take(questions)
    const bytes = Option.getOrUndefined(yield* read(message.piece))
    // where there is no room the link ends
    offer({ _tag: "Piece", space: message.space, piece: message.piece, bytes })
  })
  yield* Effect.forkScoped(Effect.forever(answer))
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const waiting of pending.values()) Deferred.doneUnsafe(waiting, new PieceFailed({ what: "hung up" }))
      pending.clear()
    })
  )

  const ask = (tag: Message.Tag, piece: Piece) => {
    const key = keyOf(tag, piece)
    const known = pending.get(key)
    if (known !== undefined) return Deferred.await(known)
    if (pending.size >= seeksMax || !offer({ _tag: "Seek", space: tag, piece })) return mute
    const waiting = Deferred.makeUnsafe<Option.Option<Uint8Array>, PieceFailed>()
    pending.set(key, waiting)
    return Deferred.await(waiting)
  }

  const brought = ({ bytes, piece, space }: Message.Message & { readonly _tag: "Piece" }): string | undefined => {
    const key = keyOf(space, piece)
    const waiting = pending.get(key)
    if (waiting === undefined) return "a piece that was not sought"
    pending.delete(key)
    const isRight = bytes === undefined || isPiece(piece, bytes)
    Deferred.doneUnsafe(
      waiting,
      isRight ? Effect.succeed(Option.fromUndefinedOr(bytes)) : new PieceFailed({ what: "brought other bytes" })
    )
    return isRight ? undefined : "a piece of other bytes than its name says"
  }

  return {
    seek: (tag, piece) =>
      Effect.suspend(() => ask(tag, piece)).pipe(
        Effect.timeoutOrElse({ duration: pieceMillis, orElse: () => mute }),
        Semaphore.withPermit(places)
      ),
    receive: (message, read) => {
      if (message._tag === "Piece") return brought(message)
      if (unanswered >= seeksMax) return `more than ${seeksMax} pieces sought at once`
      unanswered++
      Queue.offerUnsafe(questions, { message, read })
      return undefined
    },
    left: ({ _tag }) => {
      if (_tag === "Piece") unanswered--
    }
  }
})

const mute = Effect.fail(new PieceFailed({ what: "does not answer" }))

const keyOf = (tag: Message.Tag, { hash, kind }: Piece): string => `${tag} ${kind} ${hash}`
