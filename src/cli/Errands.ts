/** Which errand is done by whom, and how its data reads for people. Each part is loaded when it is needed. */
import * as Effect from "effect/Effect"
import type { Voice } from "./Control.ts"
import type { Errand, ErrandTag } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"

/** Does an errand in an office. */
export const answer =
  (office: Office) =>
  (errand: Errand, voice: Voice): Effect.Effect<void, unknown> =>
    Effect.scoped(dispatch(office, errand, voice))

const dispatch = Effect.fnUntraced(function* (office: Office, errand: Errand, voice: Voice) {
  switch (errand._tag) {
    case "Status":
      return yield* (yield* load(() => import("./status.ts"))).answer(office, voice)
    case "Pair":
      return yield* (yield* load(() => import("./pair.ts"))).answer(office, errand, voice)
    case "Join":
      return yield* (yield* load(() => import("./join.ts"))).answer(office, errand, voice)
    case "Sync":
      return yield* (yield* load(() => import("./sync.ts"))).answer(office, errand, voice)
    case "Perform":
      return yield* (yield* load(() => import("./perform.ts"))).answer(office, errand, voice)
    case "State":
      return yield* (yield* load(() => import("./state.ts"))).answer(office, voice)
    case "JournalLog":
      return yield* (yield* load(() => import("./journal.ts"))).answer(office, errand, voice)
    case "JournalVerify":
      return yield* (yield* load(() => import("./verify.ts"))).answer(office, voice)
    case "JournalExport":
      return yield* (yield* load(() => import("./export.ts"))).answer(office, errand, voice)
    case "JournalImport":
      return yield* (yield* load(() => import("./import.ts"))).answer(office, errand, voice)
    case "Backup":
      return yield* (yield* load(() => import("./backup.ts"))).answer(office, errand, voice)
    case "DeviceList":
      return yield* (yield* load(() => import("./device.ts"))).list(office, voice)
    case "Govern":
      return yield* (yield* load(() => import("./govern.ts"))).answer(office, errand, voice)
    case "Explain":
      return yield* (yield* load(() => import("./explain.ts"))).answer(office, errand, voice)
    case "TrustShow":
      return yield* (yield* load(() => import("./trust.ts"))).answer(office, errand, voice)
    case "PolicyShow":
      return yield* (yield* load(() => import("./policy.ts"))).answer(office, errand, voice)
    case "SpaceWords":
      return yield* (yield* load(() => import("./space.ts"))).show(office, voice)
    case "SpaceConfirm":
      return yield* (yield* load(() => import("./space.ts"))).confirm(office, errand, voice)
    case "SpaceRecover":
      return yield* (yield* load(() => import("./recover.ts"))).answer(office, errand, voice)
    case "SpaceSeal":
      return yield* (yield* load(() => import("./seal.ts"))).seal(office, errand, voice)
    case "JournalPrune":
      return yield* (yield* load(() => import("./seal.ts"))).prune(office, voice)
    case "Doctor":
      return yield* (yield* load(() => import("./doctor.ts"))).answer(office, voice)
  }
})

const load = <Module>(part: () => Promise<Module>): Effect.Effect<Module> => Effect.promise(part)

/** Data as text for people. */
export const rendererOf = async (tag: ErrandTag): Promise<(data: Data) => string> => {
  switch (tag) {
    case "Status":
      return (await import("./status.ts")).render
    case "Pair":
      return (await import("./pair.ts")).render
    case "Join":
      return (await import("./join.ts")).render
    case "Sync":
      return (await import("./sync.ts")).render
    case "Perform":
      return (await import("./perform.ts")).render
    case "State":
      return (await import("./state.ts")).render
    case "JournalLog":
      return (await import("./journal.ts")).render
    case "JournalVerify":
      return (await import("./verify.ts")).render
    case "Backup":
    case "JournalExport":
      return (await import("./export.ts")).render
    case "JournalImport":
      return (await import("./import.ts")).render
    case "DeviceList":
      return (await import("./device.ts")).renderMember
    case "Govern":
      return (await import("./govern.ts")).render
    case "Explain":
      return (await import("./ReasonsTree.ts")).render
    case "TrustShow":
      return (await import("./trust.ts")).render
    case "PolicyShow":
      return (await import("./policy.ts")).render
    case "SpaceWords":
      return (await import("./space.ts")).renderWords
    case "SpaceConfirm":
      return (await import("./space.ts")).renderConfirmed
    case "SpaceRecover":
      return (await import("./recover.ts")).render
    case "SpaceSeal":
      return (await import("./seal.ts")).renderSeal
    case "JournalPrune":
      return (await import("./seal.ts")).renderPruned
    case "Doctor":
      return (await import("./doctor.ts")).render
  }
}
