/**
 * What a command asks of whoever owns the data directory, as data: done by the owner's process when there is one, by
 * the command's own otherwise, with the same code and the same answer.
 *
 * An errand yields pieces of data while it runs, and ends well or with a problem. Secrets in it (a code, recovery
 * words) are `Redacted` on both sides and cross only the control socket, which nobody but the owner can open.
 */
import * as Schema from "effect/Schema"
import { Wish } from "./Wish.ts"

const Secret = Schema.RedactedFromValue(Schema.String)
const Capabilities = Schema.Array(Schema.String)

export const Errand = Schema.TaggedUnion({
  Status: {},
  Pair: {
    role: Schema.NullOr(Schema.String),
    can: Capabilities,
    depth: Schema.NullOr(Schema.Int),
    until: Schema.NullOr(Schema.String),
    name: Schema.NullOr(Schema.String),
    address: Schema.NullOr(Schema.String)
  },
  Join: { code: Secret, name: Schema.NullOr(Schema.String), timeoutSeconds: Schema.Finite },
  Sync: { from: Schema.NullOr(Schema.String), watch: Schema.Boolean, timeoutSeconds: Schema.Finite },
  Perform: {
    operation: Schema.String,
    payload: Schema.Json,
    key: Schema.NullOr(Schema.String),
    wait: Schema.Literals(["durable", "acknowledged", "everywhere"]),
    timeoutSeconds: Schema.Finite
  },
  State: {},
  JournalLog: {
    limit: Schema.Int,
    device: Schema.NullOr(Schema.String),
    type: Schema.NullOr(Schema.String),
    since: Schema.NullOr(Schema.String),
    until: Schema.NullOr(Schema.String)
  },
  JournalVerify: {},
  /** Files of errands are absolute paths: the owner's process reads and writes them. */
  JournalExport: { file: Schema.String, space: Schema.NullOr(Schema.String) },
  JournalImport: { file: Schema.String },
  Backup: { file: Schema.String },
  DeviceList: {},
  /** Decides, or tells what would change if that were decided. */
  Govern: { wish: Wish, isWhatIf: Schema.Boolean },
  Explain: {
    device: Schema.String,
    operation: Schema.String,
    resource: Schema.NullOr(Schema.String),
    at: Schema.NullOr(Schema.String)
  },
  TrustShow: { device: Schema.NullOr(Schema.String) },
  PolicyShow: { operation: Schema.NullOr(Schema.String) },
  SpaceWords: {},
  SpaceConfirm: { words: Schema.Array(Schema.Struct({ number: Schema.Int, word: Secret })) },
  SpaceRecover: {
    words: Secret,
    revoke: Schema.NullOr(Schema.String),
    cut: Schema.NullOr(Schema.String),
    isConfirmed: Schema.Boolean
  },
  SpaceSeal: { words: Secret, isConfirmed: Schema.Boolean },
  JournalPrune: {},
  Doctor: {}
})
export type Errand = typeof Errand.Type
export type ErrandTag = Errand["_tag"]
export type ErrandOf<Tag extends ErrandTag> = Extract<Errand, { readonly _tag: Tag }>

/** Errands that only a process that listens on the network can do. */
export const needsServer = (errand: Errand): boolean => errand._tag === "Pair"

/** Errands that make sense in a directory that is not there yet. */
export const mayCreate = (errand: Errand): boolean => errand._tag === "Join" || errand._tag === "JournalImport"
