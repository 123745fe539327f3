/** A whole syncing application as a page would import it: the task list, opened over effects that the page brings. */
import { Aura } from "aura/browser"
import { app } from "../../examples/tasks/app.ts"

export const start = (effects: Parameters<typeof Aura.open>[0]["effects"]) => Aura.open({ app, effects })

Object.assign(globalThis, { start })
