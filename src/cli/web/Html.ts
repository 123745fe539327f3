/**
 * HTML as a value: whatever is put into it is escaped, except what is such a value itself.
 *
 *     html`<td>${title}</td>`      title may hold anything; it stays text
 *
 * Values stand in text or in quoted attributes, never in scripts, styles, tag names or unquoted attributes.
 */
export interface Html {
  readonly _tag: "Html"
  readonly text: string
}

type Value = string | number | Html | ReadonlyArray<Html> | undefined

export const html = (texts: TemplateStringsArray, ...values: ReadonlyArray<Value>): Html => ({
  _tag: "Html",
  text: texts.map((text, index) => text + textOf(values[index])).join("")
})

/** What is ours and holds nothing of others: a script, a style. */
export const trusted = (text: string): Html => ({ _tag: "Html", text })

const textOf = (value: Value): string => {
  if (value === undefined) return ""
  if (typeof value === "string") return value.replaceAll(/[&<>"'`]/gu, (character) => `&#${character.charCodeAt(0)};`)
  if (typeof value === "number") return String(value)
  return "text" in value ? value.text : value.map((one) => one.text).join("")
}
