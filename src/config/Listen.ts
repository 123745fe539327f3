/** Where a listener of ours is: `HOST:PORT`, an IPv6 address in brackets, or `off`. */
import * as Schema from "effect/Schema"

export const allowed = '"HOST:PORT" (port 0 takes a free one), or "off"'

/** This machine alone. */
export const defaultListen = "127.0.0.1:9464"

export interface Listen {
  readonly host: string
  readonly port: number
}

const form = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/u
const portMax = 65_535

/** Undefined: off. Takes what `Place` takes. */
export const parseListen = (text: string): Listen | undefined => {
  const [, bracketed, plain, port] = form.exec(text) ?? []
  const host = bracketed ?? plain
  return host === undefined ? undefined : { host, port: Number(port) }
}

export const Place = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter((text) => text === "off" || (parseListen(text)?.port ?? portMax + 1) <= portMax, {
      expected: allowed
    })
  )
)
