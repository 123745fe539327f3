/**
 * The portable part of Aura: what an application is written with, the same on a server, in a browser and on a phone.
 *
 * Environments add their handlers in entries of their own: `aura/server`, `aura/browser`. This file only re-exports.
 */

/** Writing an application: fields, operations, what they ask for. */
export * as App from "./runtime/App.ts"
export * as Policy from "./trust/Policy.ts"
export { BlobRef } from "./journal/Blob.ts"
export {
  Blob,
  GCounter,
  GSet,
  LWWMap,
  LWWRegister,
  MaxRegister,
  MinRegister,
  MVRegister,
  ORMap,
  ORSet,
  PNCounter,
  type DraftOf,
  type ReadOf,
  type StateFields
} from "./journal/crdt/Field.ts"
export * as Capability from "./trust/Capability.ts"
export * as Role from "./trust/Role.ts"
export * as Schema from "effect/Schema"
export * as Data from "effect/Data"

/** Running it: promises (`Aura`), or the same as effects. */
export * as Aura from "./runtime/Aura.ts"
export * as PairingCode from "./sync/PairingCode.ts"
export { BlobAbsent, BlobInvalid, type BlobError, type BlobStore } from "./runtime/BlobStore.ts"
export { BlobsUnavailable } from "./runtime/Blobs.ts"
export { Agent, layer as layerAgent, SpaceUnknown, type Tier } from "./runtime/Agent.ts"
export { JoinIncomplete, PairingRefused, type JoinOptions, type JoinStage } from "./runtime/Joining.ts"
export * as Operations from "./runtime/Operations.ts"
export type { Replica } from "./runtime/Replica.ts"
export { DeviceRevoked } from "./runtime/Revocation.ts"
export type { Undone } from "./runtime/Undone.ts"

/** What may be sent to whom in an hour: budgets, giving away what is left of one, summing up. */
export * as Budget from "./trust/Budget.ts"
export * as Giving from "./runtime/Giving.ts"
export { DropsSealed } from "./runtime/Sealing.ts"
export { Summarizing } from "./runtime/Summaries.ts"

/** Deciding who may do what, and being told why somebody may not. */
export * as AccessControl from "./runtime/AccessControl.ts"
export * as Governing from "./runtime/Governing.ts"
export * as Wording from "./trust/Wording.ts"

/** Who is told what it does, in numbers and spans: Effect's metrics and tracer, where an application wants them. */
export { layer as layerTelemetry } from "./observability/EffectTelemetry.ts"
export { Telemetry, type OperationRecorder, type Outcome, type Told } from "./observability/Telemetry.ts"

/** Names of things. */
export { DefinitionId, DeviceId, EntryHash, FeedId, SpaceId } from "./identity/Id.ts"

/** What we ask of the world: contracts that handlers implement, and their errors. */
export {
  JournalConflict,
  JournalCorrupt,
  JournalFull,
  JournalLocked,
  JournalStore,
  JournalStoreError,
  JournalTooNew,
  JournalUnavailable,
  type Commit,
  type StoredFeed,
  type StoredResult,
  type StoredRun
} from "./effects/JournalStore.ts"
export {
  Keys,
  KeysCorrupt,
  KeysError,
  KeysLocked,
  KeysUnavailable,
  SealInvalid,
  type KeysLevel
} from "./effects/Keys.ts"
export {
  AddressInvalid,
  ConnectionClosed,
  Network,
  NetworkError,
  PeerRefused,
  Unreachable,
  type Connection
} from "./effects/Network.ts"
export {
  SecretStore,
  SecretStoreError,
  SecretStoreExposed,
  SecretStoreUnavailable,
  type SecretLevel
} from "./effects/SecretStore.ts"
export {
  Storage,
  StorageCorrupt,
  StorageError,
  StorageFull,
  StorageKeyInvalid,
  StorageUnavailable
} from "./effects/Storage.ts"
export { Time, type Reading, type TimeStatus } from "./effects/Time.ts"
export { Verifier, type Claim } from "./effects/Verifier.ts"
