/** A shared task list: the smallest application with records, several operations and a permission each. */
import { App, Data, LWWRegister, ORMap, Policy, Schema } from "aura"

/** Refused: a task needs something to do. */
export class TitleEmpty extends Data.TaggedError("TitleEmpty") {
  override get message(): string {
    return "a task needs a title"
  }
}

/** Refused: nobody knows this task, or it was removed. */
export class TaskUnknown extends Data.TaggedError("TaskUnknown")<{ readonly id: string }> {
  override get message(): string {
    return `there is no task ${this.id}`
  }
}

const Title = Schema.String.pipe(Schema.check(Schema.isMaxLength(200)))
const write = Policy.make({ capabilities: ["task:write"] })

export const app = App.make("tasks", {
  version: 1,
  roles: { writer: { can: ["space:read", "task:write"] } },
  state: { tasks: ORMap({ title: LWWRegister(Title), done: LWWRegister(Schema.Boolean) }) },
  operations: (operation) => ({
    add: operation({
      payload: Schema.Struct({ title: Title }),
      writes: ["tasks/{new}:put"],
      policy: write,
      plan: ({ tasks }, { title }, { newId }) => {
        if (title.trim() === "") return App.refuse(new TitleEmpty())
        const id = newId()
        return { changes: [tasks.put(id, { title, done: false })], result: id }
      }
    }),
    complete: operation({
      payload: Schema.Struct({ id: Schema.String }),
      writes: ["tasks/{id}/done:set"],
      resource: "tasks/{id}",
      policy: write,
      plan: ({ tasks }, { id }) =>
        tasks.has(id)
          ? { changes: [tasks.at(id).done.set(true)], result: undefined }
          : App.refuse(new TaskUnknown({ id }))
    }),
    rename: operation({
      payload: Schema.Struct({ id: Schema.String, title: Title }),
      writes: ["tasks/{id}/title:set"],
      resource: "tasks/{id}",
      policy: write,
      plan: ({ tasks }, { id, title }) =>
        tasks.has(id)
          ? { changes: [tasks.at(id).title.set(title)], result: undefined }
          : App.refuse(new TaskUnknown({ id }))
    }),
    remove: operation({
      payload: Schema.Struct({ id: Schema.String }),
      writes: ["tasks/{id}:remove"],
      resource: "tasks/{id}",
      policy: write,
      plan: ({ tasks }, { id }) =>
        tasks.has(id) ? { changes: [tasks.remove(id)], result: undefined } : App.refuse(new TaskUnknown({ id }))
    })
  })
})
