/** Applications that say all that definitions of a version can: what test/vectors/definitions.json was made of. */
import { capability } from "../../src/trust/Capability.ts"
import type * as Definition from "../../src/trust/Definition.ts"
import * as Policy from "../../src/trust/Policy.ts"

const fields = {
  tasks: { kind: "LWWMap", value: { kind: "string", maxLength: 40 } },
  done: { kind: "GCounter" }
} as const

/** All that version 1 can say: capabilities that are all demanded. */
export const plain: Definition.Source = {
  app: "tasks",
  version: 3,
  fields,
  operations: {
    "task.add": {
      writes: ["tasks/{new}:set"],
      policy: Policy.make({ capabilities: ["task:write"] }),
      resource: "{new}"
    },
    "task.look": { writes: [], policy: Policy.make({}), resource: undefined },
    "task.purge": {
      writes: ["tasks/{id}:remove", "done:add"],
      policy: Policy.make({ capabilities: ["task:write", "task:purge"] }),
      resource: undefined
    }
  }
}

/** One of every demand, a cost and a role. */
export const full: Definition.Source = {
  app: "tasks",
  version: 4,
  fields,
  operations: {
    "task.add": {
      writes: ["tasks/{new}:set"],
      policy: Policy.any(
        Policy.make({ capabilities: ["task:write"], chainMax: 2, from: 5, hours: { from: 540, to: 1020, offset: 60 } }),
        Policy.make({ minTrust: "High", attestations: 2, until: 2 ** 40 })
      ),
      resource: "{new}",
      cost: 7
    },
    "task.look": { writes: [], policy: Policy.make({}), resource: undefined }
  },
  roles: { helper: [{ capability: capability("task:write"), depth: 1 }] }
}
