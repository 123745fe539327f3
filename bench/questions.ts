/** Every question of the bench, in the order they are asked. */
import * as AppendDurable from "./append-durable.ts"
import * as AppendMemory from "./append-memory.ts"
import * as AuthorityCold from "./authority-cold.ts"
import * as AuthorityRejudge from "./authority-rejudge.ts"
import * as CatchUp from "./catch-up.ts"
import * as CatchUpWebsocket from "./catch-up-websocket.ts"
import * as ColdOpen from "./cold-open.ts"
import * as Decide from "./decide.ts"
import * as DiskBytes from "./disk-bytes.ts"
import * as Postgres from "./postgres.ts"
import * as RevocationEffect from "./revocation-effect.ts"
import * as Start from "./start.ts"
import * as Storage from "./storage.ts"
import * as WireBytes from "./wire-bytes.ts"
import type { Question } from "./question.ts"

export const questions: ReadonlyArray<Question> = [
  ...AppendMemory.questions,
  ...AppendDurable.questions,
  ...CatchUp.questions,
  ...CatchUpWebsocket.questions,
  ...Postgres.questions,
  ...WireBytes.questions,
  ...DiskBytes.questions,
  ...ColdOpen.questions,
  ...Start.questions,
  ...Storage.questions,
  ...Decide.questions,
  ...AuthorityCold.questions,
  ...AuthorityRejudge.questions,
  ...RevocationEffect.questions
]
