/** A note that several people type into at once: the smallest application with text. */
import { App, Data, Policy, Schema } from "aura"
import { Text } from "aura/text"

/** Patches in one edit, and code units that one patch can insert: an edit fits an entry of the journal. */
export const patchesMax = 100
export const insertLengthMax = 8 * 1024

/** Refused: the patch is not about this text. Positions count UTF-16 code units. */
export class PositionOutside extends Data.TaggedError("PositionOutside")<{
  readonly at: number
  readonly remove: number
  readonly length: number
}> {
  override get message(): string {
    return `position ${this.at} with ${this.remove} to remove: the text has ${this.length} code units there`
  }
}

const Count = Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(0)))

/** Takes `remove` code units away at `at`, then puts `insert` there. */
export const Patch = Schema.Struct({
  at: Count,
  remove: Count,
  insert: Schema.String.pipe(Schema.check(Schema.isMaxLength(insertLengthMax)))
})
export type Patch = typeof Patch.Type

export const app = App.make("notes", {
  version: 1,
  state: { body: Text() },
  operations: (operation) => ({
    /** All patches or none, one after the other: each sees what those before it did. */
    edit: operation({
      payload: Schema.Struct({
        patches: Schema.Array(Patch).pipe(Schema.check(Schema.isMinLength(1), Schema.isMaxLength(patchesMax)))
      }),
      writes: ["body:insert", "body:delete"],
      policy: Policy.make({ capabilities: ["note:write"] }),
      plan: ({ body }, { patches }) => {
        const changes = []
        for (const { at, insert, remove } of patches) {
          if (at + remove > body.length) return App.refuse(new PositionOutside({ at, remove, length: body.length }))
          if (remove > 0) changes.push(body.delete(at, remove))
          if (insert !== "" || remove === 0) changes.push(body.insert(at, insert))
        }
        return { changes, result: undefined }
      }
    })
  })
})
