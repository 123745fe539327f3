/**
 * The pages: the live one for a person at this machine, and the one that says nothing of the space to everyone else.
 *
 * A page works as it is, without a build and without anything from elsewhere. Its parts are sections by id, in HTML
 * made here, so that what is shown first and what is shown later come from one place (Live.ts sends those that changed).
 */
import { short, type DeviceId } from "../../identity/Id.ts"
import type { Form, Input } from "./Forms.ts"
import { html, trusted, type Html } from "./Html.ts"
import type { FieldShown, Overview, Row } from "./Overview.ts"
import { script } from "./PageScript.ts"
import { style } from "./PageStyle.ts"
import type { Readiness, Site } from "./Site.ts"

/** Sections by id, in the order of the page. */
export type Sections = ReadonlyMap<string, Html>

export const sectionsOf = (site: Site, forms: ReadonlyArray<Form>, overview: Overview): Sections =>
  new Map([
    ["running", running(site, overview)],
    ...overview.fields.map((field) => [`field-${field.name}`, fieldOf(field, forms)] satisfies [string, Html]),
    [
      "operations",
      operations(
        overview,
        forms.filter(({ record }) => record === undefined)
      )
    ],
    ["members", members(overview)],
    ["peers", peers(overview)]
  ])

/** The page of a person at this machine. */
export const live = (nonce: string, title: string, sections: Sections, pairLine: string): string => {
  const part = (id: string): Html => html`<section id="${id}">${sections.get(id)}</section>`
  const fields = [...sections.keys()].filter((id) => id.startsWith("field-"))
  return frame(
    nonce,
    title,
    html`<header>
        <h1>${title}</h1>
        <p id="liveness" role="status">not live: needs JavaScript</p>
      </header>
      <p id="notice" role="alert"></p>
      <main>
        ${part("operations")} ${fields.map(part)} ${part("running")}
        <section id="joining">
          <h2>Add a device</h2>
          <p>
            In a terminal here, <code>${pairLine}</code> makes a code, with fewer rights if you like. Or make one now,
            for a device that may do everything:
          </p>
          <p><button type="button" id="pair">Make a pairing code</button></p>
          <output id="code" for="pair"></output>
        </section>
        ${part("members")} ${part("peers")}
      </main>
      <script nonce="${nonce}">
        ${trusted(script)}
      </script>`
  )
}

/** The page of everyone who proved nothing. */
export const plain = (nonce: string, readiness: Readiness): string =>
  frame(
    nonce,
    "Aura",
    html`<header><h1>Aura</h1></header>
      <main>
        <section>
          <h2>What this is</h2>
          <p>
            A device that keeps and verifies the shared data of an application. What it keeps is shown and sent only to
            devices that belong; this page has proved nothing, so there is nothing more to see here.
          </p>
        </section>
        <section>
          <h2>Health</h2>
          <p>
            ${readiness.ok ? "Running and ready." : "Running, but not ready: who runs this is told why by aura status."}
          </p>
        </section>
        <section>
          <h2>How to join</h2>
          <ol>
            <li>Ask somebody whose device belongs to run <code>aura pair</code> and to give you the code.</li>
            <li>Within ten minutes run <code>aura join CODE</code> on your device.</li>
          </ol>
        </section>
      </main>`
  )

const frame = (nonce: string, title: string, body: Html): string =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <style nonce="${nonce}">
          ${trusted(style)}
        </style>
      </head>
      <body>
        ${body}
      </body>
    </html> `.text

const running = (site: Site, overview: Overview): Html => {
  const { entries, hasCode, quarantined, readiness, uptimeSeconds } = overview
  const rows: ReadonlyArray<readonly [string, Html]> = [
    [
      "Application",
      html`${overview.app}${overview.version === undefined ? "" : `, version ${overview.version}`}${hasCode ? "" : ": its code is not here, this device relays and verifies"}`
    ],
    ["This device", idOf(site.agent.device)],
    ["Running for", html`${duration(uptimeSeconds)}`],
    [
      "Journal",
      html`${entries} ${entries === 1 ? "entry" : "entries"}
      applied${quarantined === 0 ? "" : `, ${quarantined} refused`}`
    ],
    ["Reached at", html`${site.agent.addresses().map((address) => html`<code>${address}</code> `)}`],
    ...site.facts.map(({ name, text }) => [name, html`${text}`] satisfies [string, Html])
  ]
  return html`<h2>What runs</h2>
    <p class="${readiness.ok ? "good" : "bad"}">${readiness.ok ? "Ready" : "Not ready"}</p>
    <ul class="checks">
      ${readiness.checks.map(({ name, ok, what }) => html`<li class="${ok ? "good" : "bad"}"><b>${name}</b>: ${what}</li>`)}
    </ul>
    <dl>
      ${rows.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`
      )}
    </dl>`
}

const members = ({ members }: Overview): Html =>
  html`<h2>Members</h2>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Device</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          ${members.map(
            ({ device, isConnected, isRevoked, isSelf, name }) =>
              html`<tr id="member-${device}">
                <td><bdi>${name}</bdi></td>
                <td>${idOf(device)}</td>
                <td>${isRevoked ? "revoked" : isSelf ? "this device" : isConnected ? "connected" : "not connected"}</td>
              </tr>`
          )}
        </tbody>
      </table>
    </div>`

const peers = ({ peers }: Overview): Html =>
  peers.length === 0
    ? html`<h2>Connections</h2>
        <p>No other device is connected.</p>`
    : html`<h2>Connections</h2>
        <ul>
          ${peers.map(
            ({ address, device, isCaughtUp }) =>
              html`<li>
                ${idOf(device)} at <code>${address}</code>: ${isCaughtUp ? "all it has is here" : "catching up"}
              </li>`
          )}
        </ul>`

const operations = ({ fields, hasCode }: Overview, forms: ReadonlyArray<Form>): Html => {
  if (!hasCode || (forms.length === 0 && fields.length > 0)) return html``
  return html`<h2>Operations</h2>
    ${forms.map((form) => formOf(form, `new-${form.operation}`, undefined))}${
      fields.length === 0 ? html`<p>The application keeps no state.</p>` : undefined
    }`
}

const fieldOf = (field: FieldShown, forms: ReadonlyArray<Form>): Html => {
  switch (field._tag) {
    case "Value":
      return html`<h2>${field.name}</h2>
        <p>${field.value === "" ? "not set" : html`<bdi>${field.value}</bdi>`}</p>`
    case "List":
      return html`<h2>${field.name} <small>${field.count}</small></h2>
        <ul>
          ${field.values.map((value) => html`<li><bdi>${value}</bdi></li>`)}
        </ul>
        ${restOf(field.count, field.values.length)}`
    case "Table": {
      const own = forms.filter(({ record }) => record?.field === field.name)
      if (field.count === 0)
        return html`<h2>${field.name} <small>0</small></h2>
          <p>Nothing here yet.</p>`
      return html`<h2>${field.name} <small>${field.count}</small></h2>
        <div class="wide">
          <table>
            <thead>
              <tr>
                ${field.columns.map((column) => html`<th scope="col">${column}</th>`)}${
                  own.length === 0 ? undefined : html`<th scope="col">actions</th>`
                }
              </tr>
            </thead>
            <tbody>
              ${field.rows.map((row) => rowOf(field.name, field.columns, row, own))}
            </tbody>
          </table>
        </div>
        ${restOf(field.count, field.rows.length)}`
    }
  }
}

const rowOf = (field: string, columns: ReadonlyArray<string>, row: Row, forms: ReadonlyArray<Form>): Html => {
  const now = new Map(columns.map((column, index) => [column, row.cells[index] ?? ""]))
  const id = `row-${field}-${row.id}`
  return html`<tr id="${id}">
    ${row.cells.map((cell) => html`<td><bdi>${cell}</bdi></td>`)}${
      forms.length === 0
        ? undefined
        : html`<td class="actions">
            ${forms.map((form) => formOf(form, `${id}-${form.operation}`, { id: row.id, name: row.cells[0] ?? "", now }))}
          </td>`
    }
  </tr>`
}

const restOf = (count: number, shown: number): Html =>
  count > shown ? html`<p>and ${count - shown} more: <code>aura state</code> shows all.</p>` : html``

/** The record that a form is about. */
interface Subject {
  readonly id: string
  /** For people who can't see where the form stands. */
  readonly name: string
  readonly now: ReadonlyMap<string, string>
}

const formOf = (form: Form, id: string, subject: Subject | undefined): Html => {
  const record =
    form.record === undefined || subject === undefined
      ? undefined
      : html`<input type="hidden" data-name="${form.record.input}" value="${subject.id}" />`
  const inputs = form.inputs.map((input) => inputOf(input, `${id}-${input.name}`, subject?.now.get(input.name) ?? ""))
  const label = subject === undefined ? undefined : html` aria-label="${form.operation}: ${subject.name}"`
  return html`<form id="${id}" data-operation="${form.operation}">${record}${inputs}<button${label}>${form.operation}</button></form>`
}

const inputOf = ({ charactersMax, choices, isRequired, kind, name }: Input, id: string, now: string): Html => {
  const label = html`<label for="${id}">${name}</label>`
  const required = isRequired ? html` required` : undefined
  switch (kind) {
    case "checkbox":
      return html`${label}<input
          type="checkbox"
          id="${id}"
          data-name="${name}"
          ${now === "yes" ? html` checked` : undefined}
        />`
    case "choice":
      return html`${label}<select id="${id}" data-name="${name}" ${required}>
          ${choices.map((choice) => html`<option${choice === now ? html` selected` : undefined}>${choice}</option>`)}
        </select>`
    case "number":
      return html`${label}<input type="number" step="any" id="${id}" data-name="${name}" value="${now}" ${required} />`
    case "text":
      return html`${label}<input
          type="text"
          id="${id}"
          data-name="${name}"
          value="${now}"
          autocomplete="off"
          ${required}${charactersMax === undefined ? undefined : html` maxlength="${charactersMax}"`}
        />`
  }
}

const idOf = (device: DeviceId): Html => html`<code title="${device}">${short(device)}</code>`

const duration = (seconds: number): string => {
  if (seconds < 60) return "less than a minute"
  const parts: ReadonlyArray<readonly [number, string]> = [
    [Math.floor(seconds / 86_400), "day"],
    [Math.floor(seconds / 3600) % 24, "hour"],
    [Math.floor(seconds / 60) % 60, "minute"]
  ]
  return parts.flatMap(([count, unit]) => (count === 0 ? [] : [`${count} ${unit}${count === 1 ? "" : "s"}`])).join(" ")
}
