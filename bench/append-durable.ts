/**
 * How many writes a second one author makes when each is acknowledged only once it survives a power cut, 64 at a time.
 *
 * Sides whose acknowledged writes a power cut may take are shown but not compared with.
 */
import type { Question } from "./question.ts"
import { stores } from "./stores.ts"
import { appendPerSecond } from "./timing.ts"

export const questions: ReadonlyArray<Question> = [
  {
    question: "append-durable",
    unit: "entries/s",
    better: "higher",
    ours: {
      peer: "Aura",
      package: "aura",
      verifies: "each entry chained, each batch signed and committed; SQLite synchronous=FULL",
      run: async (directory) => {
        const { store } = await import("./ours.ts")
        return appendPerSecond(() => store({ checkpoint: true }).open(directory))
      }
    },
    peers: stores.flatMap((store) =>
      store.acknowledges
        ? [
            {
              peer: store.peer,
              package: store.package,
              verifies: store.verifies,
              ...(store.survives === "power cut" ? {} : { unlike: "a power cut may take acknowledged writes" }),
              ...(store.fillsMax === undefined ? {} : { roundsMax: store.fillsMax }),
              run: async (directory: string) => {
                const { open } = await store.load()
                return appendPerSecond(() => open(directory))
              }
            }
          ]
        : []
    )
  }
]
