/**
 * What the page does in the browser: takes in sections as they change, sends forms, asks for a pairing code.
 *
 * New HTML is folded into what stands there, element by element (rows by their id), so that what somebody is typing,
 * and where the focus is, stays. Nothing received is run: the page's policy lets no other script run.
 */
export const script = `
"use strict"
const notice = document.getElementById("notice")
const liveness = document.getElementById("liveness")

const idOf = (node) => (node.nodeType === 1 && node.getAttribute("id")) || ""
const fold = (into, from) => {
  if (into.nodeType !== 1) { if (into.nodeValue !== from.nodeValue) into.nodeValue = from.nodeValue; return }
  for (const { name } of [...into.attributes]) if (!from.hasAttribute(name)) into.removeAttribute(name)
  for (const { name, value } of from.attributes) if (into.getAttribute(name) !== value) into.setAttribute(name, value)
  foldChildren(into, from)
}
const foldChildren = (into, from) => {
  const kept = new Set([...from.children].map(idOf))
  for (const child of [...into.children]) if (idOf(child) !== "" && !kept.has(idOf(child))) child.remove()
  let at = into.firstChild
  for (const next of [...from.childNodes]) {
    const id = idOf(next)
    const same = id !== "" ? [...into.children].find((child) => idOf(child) === id)
      : at !== null && idOf(at) === "" && at.nodeName === next.nodeName ? at : undefined
    if (same === undefined) into.insertBefore(next, at)
    else {
      if (same === at) at = at.nextSibling
      else into.insertBefore(same, at)
      fold(same, next)
    }
  }
  while (at !== null) { const gone = at; at = at.nextSibling; gone.remove() }
}

const source = new EventSource("/ui/events")
source.addEventListener("open", () => { liveness.textContent = "live" })
source.addEventListener("error", () => { liveness.textContent = "not live: trying again\\u2026" })
source.addEventListener("sections", (event) => {
  for (const [id, text] of Object.entries(JSON.parse(event.data))) {
    const section = document.getElementById(id)
    const template = document.createElement("template")
    template.innerHTML = text
    if (section !== null) foldChildren(section, template.content)
  }
})

const post = async (path, body, button) => {
  notice.textContent = ""
  button.disabled = true
  try {
    const response = await window.fetch(path, { method: "POST", headers: { "content-type": "application/json", "aura-page": "1" }, body: JSON.stringify(body) })
    const answer = await response.json()
    if (response.ok) return answer
    notice.textContent = answer.detail
  } catch { notice.textContent = "The server did not answer. Is it still running?" }
  finally { button.disabled = false }
}

const payloadOf = (form) => {
  const payload = {}
  for (const input of form.querySelectorAll("[data-name]")) {
    const name = input.dataset.name
    if (input.type === "checkbox") payload[name] = input.checked
    else if (input.type === "number") { if (input.value !== "") payload[name] = Number(input.value) }
    else if (input.value !== "" || input.required) payload[name] = input.value
  }
  return payload
}

document.addEventListener("submit", async (event) => {
  event.preventDefault()
  const form = event.target
  const body = { operation: form.dataset.operation, payload: payloadOf(form) }
  const answer = await post("/ui/operations", body, form.querySelector("button"))
  if (answer !== undefined) form.reset()
})

document.getElementById("pair").addEventListener("click", async (event) => {
  const answer = await post("/ui/pairing", {}, event.target)
  if (answer === undefined) return
  const code = document.createElement("code")
  code.textContent = answer.command
  const how = document.createElement("p")
  how.textContent = "Run this on the new device within ten minutes. It works once; show it to nobody else."
  document.getElementById("code").replaceChildren(how, code)
})
`
