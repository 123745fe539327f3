/**
 * What a signature of an HTTP request covers (RFC 9421), and the digest of its content (RFC 9530).
 *
 * The signer names components; from their values and the signature's own parameters follows one text, the base, and
 * that is what is signed. A base begins with a quote, so it never passes for anything else that a device key signs.
 * Derived components known here: @method, @target-uri, @authority, @path, @query; everything else is a header field,
 * without parameters. A value outside printable ASCII has no agreed bytes and is not covered: the base is undefined.
 */
import type { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import * as StructuredField from "./StructuredField.ts"

/** A request as far as signatures see it. */
export interface Message {
  readonly method: string
  /** Absolute, as the client meant it. */
  readonly targetUri: string
  /** By lower-case name; several fields of one name joined with ", ". */
  readonly header: (name: string) => string | undefined
}

/** The bytes to sign or to verify; undefined when a component is not there, twice there or not known. */
export const base = (
  message: Message,
  covered: ReadonlyArray<string>,
  parameters: StructuredField.Parameters
): Uint8Array | undefined => {
  if (new Set(covered).size !== covered.length) return undefined
  const lines: Array<string> = []
  for (const name of covered) {
    const value = valueOf(message, name)
    if (value === undefined || !/^[ -~]*$/u.test(value)) return undefined
    lines.push(`${quoted(name)}: ${value}`)
  }
  return new TextEncoder().encode([...lines, `"@signature-params": ${inputOf(covered, parameters)}`].join("\n"))
}

/** The member of Signature-Input that belongs to the base. */
export const inputOf = (covered: ReadonlyArray<string>, parameters: StructuredField.Parameters): string =>
  StructuredField.writeList({
    items: covered.map((name) => ({ item: { _tag: "Text", value: name }, parameters: new Map() })),
    parameters
  })

/** A Content-Digest field of these bytes. */
export const contentDigest = (body: Uint8Array): string =>
  `sha-256=${StructuredField.writeItem({ _tag: "Bytes", value: sha256(body) })}`

/** Whether a Content-Digest field holds the SHA-256 of these bytes; digests by other algorithms are passed over. */
export const isDigestOf = (field: StructuredField.Dictionary, body: Uint8Array): boolean => {
  const member = field.get("sha-256")
  return member?._tag === "Item" && member.item._tag === "Bytes" && sha256(body).equals(member.item.value)
}

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest()

const quoted = (name: string): string => StructuredField.writeItem({ _tag: "Text", value: name })

const fieldName = /^[a-z0-9!#$%&'*+.^_`|~-]+$/u

const valueOf = (message: Message, name: string): string | undefined => {
  if (!name.startsWith("@")) return fieldName.test(name) ? message.header(name)?.trim() : undefined
  if (name === "@method") return message.method
  if (name === "@target-uri") return message.targetUri
  const url = URL.canParse(message.targetUri) ? new URL(message.targetUri) : undefined
  if (name === "@authority") return url?.host
  if (name === "@path") return url?.pathname
  if (name === "@query") return url === undefined ? undefined : url.search || "?"
  return undefined
}
