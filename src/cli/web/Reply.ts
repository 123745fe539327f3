/**
 * Answers: JSON, pages and problems (RFC 9457), every one of them with the headers that keep browsers careful.
 *
 * Nothing is cached, framed, sniffed or shared across origins, and no answer tells what software in which version gave
 * it. There is no Strict-Transport-Security: it would reach from the TLS port to the plain one of the same host name.
 */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { randomBytes } from "node:crypto"

export type Reply = HttpServerResponse.HttpServerResponse

type Headers = Readonly<Record<string, string>>

const careful: Headers = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
}

export const json = (body: unknown, status = 200): Reply =>
  HttpServerResponse.jsonUnsafe(body, { status, headers: careful })

export const text = (body: string, contentType: string): Reply =>
  HttpServerResponse.text(body, { contentType, headers: careful })

/** Never closes by itself before its stream does. */
export const stream = (body: Parameters<typeof HttpServerResponse.stream<never>>[0], contentType: string): Reply =>
  HttpServerResponse.stream(body, { contentType, headers: careful })

/** A page whose scripts and styles carry the nonce that `make` is given; no others run. */
export const page = (make: (nonce: string) => string): Reply => {
  const nonce = randomBytes(16).toString("base64url")
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; ")
  return HttpServerResponse.text(make(nonce), {
    contentType: "text/html; charset=utf-8",
    headers: { ...careful, "content-security-policy": policy }
  })
}

export interface Problem {
  readonly status: number
  /** What kind of thing went wrong, for programs: an error's tag or a word of ours. */
  readonly code: string
  /** For who asked: names no third party and nothing of this machine. */
  readonly detail: string
  /** What who asked may do about it. */
  readonly do?: string
  readonly headers?: Headers
}

export const problem = ({ code, detail, do: way, headers, status }: Problem): Reply =>
  HttpServerResponse.text(
    JSON.stringify({
      type: "about:blank",
      title: titles[status] ?? "Refused",
      status,
      code,
      detail,
      ...(way === undefined ? {} : { do: way })
    }),
    {
      status,
      contentType: "application/problem+json",
      headers: { ...careful, ...headers }
    }
  )

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable"
}
