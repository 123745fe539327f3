/**
 * An S3-compatible server on loopback, with its objects in a temporary directory, and a proxy in front of it that does as
 * a script says: cuts connections, answers with errors, is slow, shortens answers. It knows conditions and checks
 * signatures, which the server does not.
 */
import * as Redacted from "effect/Redacted"
import { createHash, createHmac } from "node:crypto"
import { rm } from "node:fs/promises"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import S3rver from "s3rver"
import type { S3StorageOptions } from "../../../src/handlers/node/S3Storage.ts"

/** What is done to one request instead of passing it on and its answer back. */
export type Fault =
  | { readonly kind: "refuse"; readonly status: number; readonly code?: string }
  /** The connection ends: before the server hears of it, after it did but before it answers, or in mid body. */
  | { readonly kind: "cut"; readonly at: "request" | "answer" | "body" }
  | { readonly kind: "never" }
  /** An answer that is shorter than it was, and says that it is whole. */
  | { readonly kind: "shorten"; readonly bytes: number }

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
}

export interface S3Server {
  readonly options: S3StorageOptions
  /** Asked for every request; undefined passes it on. */
  fault: (seen: Seen) => Fault | undefined
  knowsConditions: boolean
  readonly seen: Array<Seen>
  readonly close: () => Promise<void>
}

export const secret = "pl4nted-secret-key"

export const openS3 = async (directory: string): Promise<S3Server> => {
  const real = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: "blobs", configs: [] }]
  })
  const { port } = await real.run()
  const proxy = http.createServer((request, response) => void passOn(server, port, request, response))
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
  const server: S3Server = {
    options: {
      endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      region: "us-east-1",
      bucket: "blobs",
      prefix: "alice",
      accessKeyId: Redacted.make("S3RVER"),
      secretAccessKey: Redacted.make(secret)
    },
    fault: () => undefined,
    knowsConditions: true,
    seen: [],
    close: async () => {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
      await real.close()
      await rm(directory, { recursive: true, force: true })
    }
  }
  return server
}

const passOn = async (
  server: S3Server,
  port: number,
  request: http.IncomingMessage,
  response: http.ServerResponse
): Promise<void> => {
  const seen: Seen = { method: request.method ?? "", path: request.url ?? "", headers: request.headers }
  server.seen.push(seen)
  const fault = server.fault(seen)
  const body = await bytesOf(request).catch(() => undefined)
  if (body === undefined || fault?.kind === "never") return
  if (fault?.kind === "refuse") return refuse(response, fault.status, fault.code)
  if (fault?.kind === "cut" && fault.at === "request") return void request.socket.destroy()
  if (!isSigned(seen, body)) return refuse(response, 403, "SignatureDoesNotMatch")
  if (server.knowsConditions && !(await holds(port, seen))) return refuse(response, 412, "PreconditionFailed")
  const answer = seen.path.includes("list-type=2") ? await page(port, seen) : await ask(port, seen, body)
  if (fault?.kind === "cut" && fault.at === "answer") return void request.socket.destroy()
  const content = fault?.kind === "shorten" ? answer.body.subarray(0, answer.body.length - fault.bytes) : answer.body
  const length = seen.method === "HEAD" ? answer.headers["content-length"] : content.length
  response.writeHead(answer.status, { ...answer.headers, "content-length": length })
  if (fault?.kind !== "cut") return void response.end(content)
  response.write(content.subarray(0, Math.floor(content.length / 2)), () => request.socket.destroy())
}

const refuse = (response: http.ServerResponse, status: number, code = ""): void => {
  response.writeHead(status, { "content-type": "application/xml" })
  response.end(code === "" ? "" : `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`)
}

/** AWS Signature 4, as the specification has it; the server itself believes every signature. */
const isSigned = ({ headers, method, path }: Seen, body: Buffer): boolean => {
  const form = /Credential=[^/]+\/((\d{8})\/([^/]+)\/s3\/aws4_request), SignedHeaders=([^,]+), Signature=(\w{64})$/u
  const [, scope, day, region, signed, signature] = form.exec(headers.authorization ?? "") ?? []
  if (scope === undefined || headers["x-amz-content-sha256"] !== sha256(body)) return false
  const url = new URL(path, "http://server")
  const encoded = (text: string) =>
    encodeURIComponent(text).replaceAll(/[!'()*]/gu, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
  const query = [...url.searchParams].map(([name, value]) => `${encoded(name)}=${encoded(value)}`).toSorted()
  const lines = signed!.split(";").map((name) => `${name}:${String(headers[name] ?? "").trim()}\n`)
  const canonical = [method, url.pathname, query.join("&"), lines.join(""), signed, sha256(body)].join("\n")
  const said = ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha256(canonical)].join("\n")
  const key = [day!, region!, "s3", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secret}`)
  return hmac(key, said).toString("hex") === signature
}

const sha256 = (bytes: string | Buffer): string => createHash("sha256").update(bytes).digest("hex")

const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest()

/** Requests come one at a time here, near enough: the answer stays true until the write. */
const holds = async (port: number, { headers, method, path }: Seen): Promise<boolean> => {
  const [absent, tag] = [headers["if-none-match"], headers["if-match"]]
  if (method !== "PUT" || (absent === undefined && tag === undefined)) return true
  const found = await ask(port, {
    method: "HEAD",
    path,
    headers: { authorization: headers.authorization, ...amz(headers) }
  })
  return absent === undefined ? found.headers.etag === tag : found.status === 404
}

const amz = (headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("x-amz-")))

/** The server has no pages on this Node, so they are cut here; what leads to the next is not for reading. */
const page = async (port: number, seen: Seen): Promise<Answer> => {
  const url = new URL(seen.path, "http://server")
  const from = Buffer.from(url.searchParams.get("continuation-token") ?? "", "base64").toString()
  const count = Number(url.searchParams.get("max-keys"))
  url.searchParams.delete("continuation-token")
  url.searchParams.set("max-keys", "1000")
  if (from !== "") url.searchParams.set("start-after", from)
  const answer = await ask(port, { ...seen, path: `${url.pathname}${url.search}` })
  const xml = answer.body.toString()
  const objects = xml.match(/<Contents>[\s\S]*?<\/Contents>/gu) ?? []
  if (objects.length <= count) return answer
  const last = /<Key>(.*?)<\/Key>/u.exec(objects[count - 1]!)![1]!
  const next = `<NextContinuationToken>${Buffer.from(last).toString("base64")}</NextContinuationToken>`
  const cut = objects.slice(count).reduce((rest, one) => rest.replace(one, ""), xml)
  const body = cut.replace("<IsTruncated>false</IsTruncated>", `<IsTruncated>true</IsTruncated>${next}`)
  return { ...answer, body: Buffer.from(body) }
}

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

const ask = (
  port: number,
  { headers, method, path }: Omit<Seen, "headers"> & { readonly headers: http.OutgoingHttpHeaders },
  body?: Buffer
) =>
  new Promise<Answer>((resolve, reject) => {
    const sent = http.request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (answer) => {
      bytesOf(answer).then(
        (found) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: found }),
        reject
      )
    })
    sent.on("error", reject)
    sent.end(body)
  })

const bytesOf = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
  const parts: Array<Buffer> = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}
