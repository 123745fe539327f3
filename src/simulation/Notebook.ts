/**
 * The application of the simulated worlds: one field of each kind that differs in how it merges, and a right for each.
 *
 * Every member may write notes, tags and the tally; settings need a right that not everybody gets, so that some
 * operations are denied, everywhere alike.
 */
import * as Data from "effect/Data"
import * as Schema from "effect/Schema"
import { LWWMap, LWWRegister, ORMap, ORSet, PNCounter } from "../journal/crdt/Field.ts"
import * as App from "../runtime/App.ts"
import * as Policy from "../trust/Policy.ts"

/** Refused: there is no such note, or it was removed. */
export class NoteUnknown extends Data.TaggedError("NoteUnknown")<{ readonly id: string }> {}

const Text = Schema.String.pipe(Schema.check(Schema.isMaxLength(100)))
const writing = Policy.make({ capabilities: ["note:write"] })
const setting = Policy.make({ capabilities: ["setting:write"] })

export const app = App.make("notebook", {
  version: 1,
  state: {
    notes: ORMap({ title: LWWRegister(Text), votes: PNCounter() }),
    settings: LWWMap(Text),
    tags: ORSet(Text),
    tally: PNCounter()
  },
  operations: (operation) => ({
    add: operation({
      payload: Schema.Struct({ title: Text }),
      writes: ["notes/{new}:put"],
      policy: writing,
      plan: ({ notes }, { title }, { newId }) => {
        const id = newId()
        return { changes: [notes.put(id, { title })], result: id }
      }
    }),
    rename: operation({
      payload: Schema.Struct({ id: Schema.String, title: Text }),
      writes: ["notes/{id}/title:set"],
      policy: writing,
      plan: ({ notes }, { id, title }) =>
        notes.has(id)
          ? { changes: [notes.at(id).title.set(title)], result: undefined }
          : App.refuse(new NoteUnknown({ id }))
    }),
    vote: operation({
      payload: Schema.Struct({ id: Schema.String, amount: Schema.Int }),
      writes: ["notes/{id}/votes:add", "tally:add"],
      policy: writing,
      plan: ({ notes, tally }, { amount, id }) =>
        notes.has(id)
          ? { changes: [notes.at(id).votes.add(amount), tally.add(amount)], result: amount }
          : App.refuse(new NoteUnknown({ id }))
    }),
    remove: operation({
      payload: Schema.Struct({ id: Schema.String }),
      writes: ["notes/{id}:remove"],
      policy: writing,
      plan: ({ notes }, { id }) =>
        notes.has(id) ? { changes: [notes.remove(id)], result: undefined } : App.refuse(new NoteUnknown({ id }))
    }),
    count: operation({
      payload: Schema.Struct({ amount: Schema.Int }),
      writes: ["tally:add"],
      policy: writing,
      plan: ({ tally }, { amount }) => ({ changes: [tally.add(amount)], result: amount })
    }),
    tag: operation({
      payload: Schema.Struct({ tag: Text }),
      writes: ["tags/{tag}:add"],
      policy: writing,
      plan: ({ tags }, { tag }) => ({ changes: [tags.add(tag)], result: undefined })
    }),
    untag: operation({
      payload: Schema.Struct({ tag: Text }),
      writes: ["tags/{tag}:remove"],
      policy: writing,
      plan: ({ tags }, { tag }) => ({ changes: [tags.remove(tag)], result: undefined })
    }),
    set: operation({
      payload: Schema.Struct({ key: Text, value: Text }),
      writes: ["settings/{key}:set"],
      policy: setting,
      plan: ({ settings }, { key, value }) => ({ changes: [settings.set(key, value)], result: undefined })
    }),
    unset: operation({
      payload: Schema.Struct({ key: Text }),
      writes: ["settings/{key}:remove"],
      policy: setting,
      plan: ({ settings }, { key }) => ({ changes: [settings.remove(key)], result: undefined })
    })
  })
})

/** What every operation needs, by its type on the wire. */
export const capabilityOf = (type: string): string | undefined => {
  const name = type.startsWith(`${app.name}.`) ? type.slice(app.name.length + 1) : ""
  return Object.hasOwn(app.operations, name)
    ? name === "set" || name === "unset"
      ? "setting:write"
      : "note:write"
    : undefined
}

export type Name = App.OperationName<typeof app>
