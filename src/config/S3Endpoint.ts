/** The address of an S3-compatible store: a scheme, a host and perhaps a port. Who asks stands in settings of its own. */
import * as Schema from "effect/Schema"

export const allowed = "https://HOST[:PORT], or http://HOST[:PORT] on this machine or for trying out"

const lengthMax = 1024

const isEndpoint = (text: string): boolean => {
  const url = URL.parse(text)
  return url !== null && ["http:", "https:"].includes(url.protocol) && `${url.origin}/` === url.href
}

export const S3Endpoint = Schema.String.pipe(
  Schema.check(Schema.isMaxLength(lengthMax), Schema.makeFilter(isEndpoint, { expected: allowed }))
)

/** Nobody on the way can read or replace what is asked and answered: it is encrypted, or there is no way. */
export const isSafe = (text: unknown): boolean => {
  const url = typeof text === "string" ? URL.parse(text) : null
  return url !== null && (url.protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname))
}
