/**
 * What somebody wants to decide about others, in the words of the command line: names, roles, times and prefixes of ids
 * as they were typed. Whoever does the errand finds out what they mean (cli/Meaning.ts).
 */
import * as Schema from "effect/Schema"

const Text = Schema.String
const Capabilities = Schema.Array(Schema.String)

export const Wish = Schema.TaggedUnion({
  /** A role, or capabilities; the one that is meant is not empty. */
  Grant: {
    device: Text,
    role: Schema.NullOr(Text),
    can: Capabilities,
    depth: Schema.NullOr(Schema.Int),
    until: Schema.NullOr(Text)
  },
  Revoke: { device: Text, reason: Text },
  Withdraw: { device: Text, can: Capabilities, grant: Schema.NullOr(Text), isAll: Schema.Boolean, reason: Text },
  Limit: { device: Text, can: Capabilities, isNothing: Schema.Boolean, reason: Text },
  Lift: { restriction: Text },
  Relate: { device: Text, level: Text },
  Attest: { device: Text, claim: Text },
  Lower: { device: Text, level: Text, reason: Text },
  Report: { device: Text, severity: Text, reason: Text },
  SetPolicy: {
    operation: Text,
    /** Null: what the other parts say. */
    policy: Schema.NullOr(Schema.Json),
    can: Capabilities,
    trust: Schema.NullOr(Text),
    attested: Schema.NullOr(Schema.Int),
    from: Schema.NullOr(Text),
    until: Schema.NullOr(Text),
    /** What the application's definition says. */
    isDefined: Schema.Boolean,
    reason: Text
  },
  Settle: { position: Text }
})
export type Wish = typeof Wish.Type
export type WishOf<Tag extends Wish["_tag"]> = Extract<Wish, { readonly _tag: Tag }>
