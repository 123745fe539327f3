/** What a topic does about sealed books (sync/Handover.ts): asked for them, brought them, read them for the peer. */
import * as Handover from "./Handover.ts"
import { handed, type Breach, type Next, type Topic } from "./Topic.ts"

/** The peer asks for sealed books. */
export const wantSealed = (topic: Topic, digest: string, offset: number): Next | Breach => {
  const step = Handover.asked(topic.handover, digest, offset)
  return "breach" in step ? step : handed(topic, step)
}

/** The peer brings sealed books, or offers them. */
export const takeSealed = (topic: Topic, part: Handover.Part): Next | Breach => {
  const step = Handover.part(topic.handover, part)
  if ("breach" in step) return step
  // what is taken up now may still be among what is wanted: that is asked again when the share tells so
  return step.says.length > 0 ? handed(topic, step) : handed(topic, Handover.ask(step.handover, topic.share.wanted))
}

/** The store's answer to a LoadSealed; undefined: these books are not here. */
export const sealedLoaded = (topic: Topic, digest: string, offset: number, books: Uint8Array | undefined): Next =>
  handed(topic, Handover.loaded(topic.handover, { digest, offset }, books))

/** The books that the peer brought are not what root sealed, or can't be stood on here. */
export const sealedRefused = (topic: Topic, digest: string): Topic => ({
  ...topic,
  handover: Handover.refuse(topic.handover, digest)
})
