/**
 * A bounded line of things between one who brings them and one who takes them, with an end that both can read.
 *
 * Order is kept and nothing is lost while it is open. Room is counted in items and in bytes; a bringer that waits for
 * room is woken when there is some, or when the line ends. After `end` the taker still gets what is queued, then the
 * reason; after `drop` at once. Deterministic: no timer and no promise, waiting fibers resume in the order they came.
 * It does not decide what to do when full: a caller that can wait uses `offer`, one that can't pushes and pauses its
 * source.
 */
import * as Effect from "effect/Effect"
import { ConnectionClosed, NetworkError } from "../../effects/Network.ts"

export interface Mailbox<Item> {
  readonly hasRoom: () => boolean
  /** Takes the item whether or not there is room. False: the line has ended and the item is gone. */
  readonly push: (item: Item, bytes: number) => boolean
  /** Waits for room, then calls `item` and queues what it makes. */
  readonly offer: (item: Effect.Effect<Item>, bytes: number) => Effect.Effect<void, NetworkError>
  /** Waits for the oldest item and leaves it there; interruption loses nothing. */
  readonly head: Effect.Effect<Item, NetworkError>
  /** Removes the oldest item, which somebody has seen by `head`. */
  readonly shift: () => void
  readonly take: Effect.Effect<Item, NetworkError>
  /** All that is queued, at once, without a word to `onRoom`: the caller knows. */
  readonly drain: () => ReadonlyArray<Item>
  /** No more items. The first ending counts, later ones change nothing. */
  readonly end: (forTaker: string, forBringer: string) => void
  /** Like `end`, and what is queued is thrown away, also when the line had ended before. */
  readonly drop: (forTaker: string, forBringer: string) => void
}

export interface MailboxLimits {
  readonly itemsMax: number
  readonly bytesMax: number
  /** Called after a removal that left room, for callers that paused a source. */
  readonly onRoom?: () => void
}

export const closed = (reason: string): NetworkError => new NetworkError({ reason: new ConnectionClosed({ reason }) })

/** Longest reason that travels, in characters. */
export const reasonCharactersMax = 120

const control = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** What a reason looks like on the wire and in logs: one short line, whatever a stranger put in. */
export const oneLine = (reason: string): string =>
  reason.toWellFormed().slice(0, reasonCharactersMax).toWellFormed().replaceAll(control, " ")

export const closedHere = (reason: string): string => `we closed it: ${oneLine(reason)}`
export const closedByPeer = (reason: string): string => `the peer closed it: "${oneLine(reason)}"`

export const make = <Item>(limits: MailboxLimits): Mailbox<Item> => {
  const items: Array<{ readonly item: Item; readonly bytes: number }> = []
  const waiting = new Set<() => void>()
  let bytesQueued = 0
  let ended: { readonly forTaker: string; readonly forBringer: string } | undefined

  const wake = (): void => {
    const resumes = [...waiting]
    waiting.clear()
    for (const resume of resumes) resume()
  }
  // Resumed through the scheduler, never inside the call that woke it: a simulation picks who runs next.
  const change = Effect.callback<void>((resume) => {
    const waiter = (): void => resume(Effect.yieldNow)
    waiting.add(waiter)
    return Effect.sync(() => {
      waiting.delete(waiter)
    })
  })

  const hasRoom = (): boolean => items.length < limits.itemsMax && bytesQueued < limits.bytesMax
  const push = (item: Item, bytes: number): boolean => {
    if (ended !== undefined) return false
    items.push({ item, bytes })
    bytesQueued += bytes
    wake()
    return true
  }
  const offer = (item: Effect.Effect<Item>, bytes: number): Effect.Effect<void, NetworkError> =>
    Effect.suspend(() => {
      if (ended !== undefined) return Effect.fail(closed(ended.forBringer))
      if (!hasRoom()) return Effect.andThen(change, offer(item, bytes))
      return Effect.flatMap(item, (made) => (push(made, bytes) ? Effect.void : offer(item, bytes)))
    })
  const head: Effect.Effect<Item, NetworkError> = Effect.suspend(() => {
    const first = items[0]
    if (first !== undefined) return Effect.succeed(first.item)
    if (ended !== undefined) return Effect.fail(closed(ended.forTaker))
    return Effect.andThen(change, head)
  })
  const shift = (): void => {
    const first = items.shift()
    if (first === undefined) return
    bytesQueued -= first.bytes
    if (!hasRoom()) return
    wake()
    limits.onRoom?.()
  }
  const take = Effect.uninterruptibleMask((restore) =>
    Effect.map(restore(head), (item) => {
      shift()
      return item
    })
  )
  const drain = (): ReadonlyArray<Item> => {
    bytesQueued = 0
    const queued = items.splice(0).map(({ item }) => item)
    wake()
    return queued
  }
  const end = (forTaker: string, forBringer: string): void => {
    if (ended !== undefined) return
    ended = { forTaker, forBringer }
    wake()
  }
  const drop = (forTaker: string, forBringer: string): void => {
    items.length = 0
    bytesQueued = 0
    end(forTaker, forBringer)
  }
  return { hasRoom, push, offer, head, shift, take, drain, end, drop }
}
