/** Forms that follow from an application, states of every kind as shown, and text of others that stays text. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { app as tasks } from "../../../examples/tasks/app.ts"
import { formsOf } from "../../../src/cli/web/Forms.ts"
import { html } from "../../../src/cli/web/Html.ts"
import * as Live from "../../../src/cli/web/Live.ts"
import * as Overview from "../../../src/cli/web/Overview.ts"
import * as Page from "../../../src/cli/web/Page.ts"
import { GCounter, GSet, LWWMap, LWWRegister, ORMap } from "../../../src/journal/crdt/Field.ts"
import { authorityWrite } from "../../../src/runtime/Write.ts"
import * as App from "../../../src/runtime/App.ts"
import * as Operations from "../../../src/runtime/Operations.ts"
import * as Policy from "../../../src/trust/Policy.ts"
import { alice, ask, eventsUntil, server } from "./world.ts"

const policy = Policy.make({ capabilities: [] })

const zoo = App.make("zoo", {
  version: 1,
  state: {
    animals: ORMap({ name: LWWRegister(Schema.String), size: LWWRegister(Schema.Literals(["small", "large"])) }),
    visits: GCounter(),
    labels: GSet(Schema.String),
    prices: LWWMap(Schema.Number),
    motto: LWWRegister(Schema.String)
  },
  operations: (operation) => ({
    fill: operation({
      payload: Schema.Struct({
        motto: Schema.String,
        count: Schema.Int,
        isOpen: Schema.Boolean,
        size: Schema.Literals(["small", "large"])
      }),
      writes: [
        "animals/{new}:put",
        "visits:add",
        "labels/{label}:add",
        "labels:add",
        "prices/{price}:set",
        "motto:set"
      ],
      policy,
      plan: ({ animals, labels, motto, prices, visits }, payload, { newId }) => ({
        changes: [
          ...Array.from({ length: payload.count }, (_, index) =>
            animals.put(newId(), { name: `animal ${index}`, size: payload.size })
          ),
          visits.add(3),
          labels.add("wild"),
          prices.set("ticket", 5.5),
          motto.set(payload.motto)
        ],
        result: undefined
      })
    }),
    feed: operation({
      payload: Schema.Struct({ id: Schema.String, note: Schema.optionalKey(Schema.String) }),
      writes: ["animals/{id}/name:set"],
      policy,
      plan: () => ({ changes: [], result: undefined })
    }),
    plan: operation({
      payload: Schema.Struct({ steps: Schema.Array(Schema.String) }),
      writes: ["motto:set"],
      policy,
      plan: () => ({ changes: [], result: undefined })
    })
  })
})

describe("forms", () => {
  it("stand at the records that their operation binds, the rest at the top", () => {
    const forms = formsOf(tasks).map(({ inputs, operation, record }) => [
      operation,
      record,
      inputs.map(({ name }) => name)
    ])
    const record = { field: "tasks", input: "id" }
    assert.deepStrictEqual(forms, [
      ["add", undefined, ["title"]],
      ["complete", record, []],
      ["rename", record, ["title"]],
      ["remove", record, []]
    ])
  })

  it("have an input for each simple part, and are not offered for anything else", () => {
    const [fill, feed, ...rest] = formsOf(zoo)
    assert.deepStrictEqual(
      fill?.inputs.map(({ choices, isRequired, kind, name }) => [name, kind, isRequired, choices]),
      [
        ["motto", "text", true, []],
        ["count", "number", true, []],
        ["isOpen", "checkbox", true, []],
        ["size", "choice", true, ["small", "large"]]
      ]
    )
    assert.deepStrictEqual(feed?.record, { field: "animals", input: "id" })
    assert.deepStrictEqual(
      feed?.inputs.map(({ isRequired, name }) => [name, isRequired]),
      [["note", false]]
    )
    assert.deepStrictEqual(rest, [])
    assert.strictEqual(formsOf(tasks)[0]?.inputs[0]?.charactersMax, 200)
  })
})

describe("a state", () => {
  it.live("is shown field by field, in the application's order", () =>
    Effect.gen(function* () {
      const { site } = yield* server()
      yield* site.replica.write(authorityWrite([{ _tag: "Define", definition: zoo.definition }]))
      const performer = yield* Operations.performer(
        { replica: site.replica, device: alice.device, store: site.store },
        zoo
      )
      yield* performer.performJson("fill", { motto: "<i>come</i>", count: 2, isOpen: true, size: "large" })
      const overview = Overview.of({ ...site, app: zoo }, yield* site.ready)
      assert.deepStrictEqual(
        overview.fields.map((field) =>
          field._tag === "Table" ? { ...field, rows: field.rows.map(({ cells }) => cells).sort() } : field
        ),
        [
          {
            _tag: "Table",
            name: "animals",
            columns: ["name", "size"],
            rows: [
              ["animal 0", "large"],
              ["animal 1", "large"]
            ],
            count: 2
          },
          { _tag: "Value", name: "visits", value: "3" },
          { _tag: "List", name: "labels", values: ["wild"], count: 1 },
          { _tag: "Table", name: "prices", columns: ["value"], rows: [["5.5"]], count: 1 },
          { _tag: "Value", name: "motto", value: "<i>come</i>" }
        ]
      )
      const sections = Page.sectionsOf({ ...site, app: zoo }, formsOf(zoo), overview)
      assert.include(sections.get("field-motto")?.text, "<bdi>&#60;i&#62;come&#60;/i&#62;</bdi>")
      assert.include(sections.get("field-animals")?.text, 'aria-label="feed: animal 0"')
      const blind = Overview.of({ ...site, app: undefined }, yield* site.ready)
      assert.isFalse(blind.hasCode)
    }).pipe(Effect.scoped)
  )
})

describe("html", () => {
  it("keeps whatever is put into it as text, within an element and within quotes", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("<", ">", '"', "'", "&", "`", "a", "\u202e", "\0", "=") }),
        (text) => {
          const made = html`<p title="${text}">${text}</p>`.text
          const between = /^<p title="([^<>"]*)">([^<>]*)<\/p>$/u.exec(made)
          const unescape = (escaped: string) =>
            escaped.replaceAll(/&#(\d+);/gu, (_, code: string) => String.fromCharCode(Number(code)))
          assert.strictEqual(unescape(between?.[1] ?? "lost"), text)
          assert.strictEqual(unescape(between?.[2] ?? "lost"), text)
        }
      )
    )
  })
})

describe("open pages", () => {
  it.live("are counted, and the place of one that closes is free again", () =>
    Effect.gen(function* () {
      const { plainPort } = yield* server()
      const url = `http://127.0.0.1:${plainPort}/ui/events`
      const opened = new Set<number>()
      const readers = yield* Effect.forEach(
        Array.from({ length: Live.streamsMax }, (_, index) => index),
        (index) => Effect.forkScoped(eventsUntil(url, () => opened.add(index).size < 0)),
        { concurrency: "unbounded" }
      )
      while (opened.size < Live.streamsMax) yield* Effect.sleep("10 millis")
      const full = yield* Effect.timeout(ask(url), "2 seconds")
      assert.deepStrictEqual([full.status, full.headers["retry-after"]], [503, "10"])
      yield* Fiber.interrupt(readers[0]!)
      let text = ""
      while (!text.includes("event: sections")) {
        yield* Effect.sleep("10 millis")
        text = yield* eventsUntil(url, (received) => /\n\n$|\}$/u.test(received))
      }
      assert.include(text, "event: sections")
    }).pipe(Effect.scoped)
  )
})
