/** What a session asks of the runtime: the only way in which anything comes of it (sync/Session.ts). */
import type { FeedId, SpaceId } from "../identity/Id.ts"
import type * as Frontier from "../journal/Frontier.ts"
import type * as Handover from "./Handover.ts"
import type * as Message from "./Message.ts"

/** What the runtime is to do next, in order. */
export type Ask =
  | { readonly _tag: "Send"; readonly message: Message.Message }
  | {
      readonly _tag: "Load"
      readonly space: SpaceId
      readonly feed: FeedId
      readonly from: number
      readonly bytesMax: number
    }
  | {
      readonly _tag: "Take"
      readonly space: SpaceId
      readonly header: Uint8Array | undefined
      readonly run: Uint8Array
    }
  | { readonly _tag: "Prove"; readonly space: SpaceId; readonly proof: Uint8Array }
  | { readonly _tag: "Acknowledged"; readonly space: SpaceId; readonly frontier: Frontier.Frontier }
  | { readonly _tag: "Receipt"; readonly space: SpaceId; readonly message: Message.Receipt }
  | { readonly _tag: "OfBlobs"; readonly space: SpaceId; readonly message: Message.OfBlobs }
  /** Tell what is here of sealed books (`sealedLoaded`). */
  | { readonly _tag: "LoadSealed"; readonly space: SpaceId; readonly digest: string; readonly offset: number }
  /** The next part of sealed books: once they are whole they are taken up, or `sealedRefused`. */
  | ({ readonly _tag: "TakeSealed"; readonly space: SpaceId } & Handover.Part)
