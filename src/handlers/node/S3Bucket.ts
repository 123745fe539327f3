/**
 * A bucket of an S3-compatible store: five signed requests (GET, PUT, HEAD, DELETE, ListObjectsV2), each tried again
 * while what is wrong may pass.
 *
 * Requests are signed with AWS Signature 4 over the hash of the body, and name the bucket in the path, which every such
 * store understands. A try ends after `timeoutMillis`, its answer included; passing faults (no connection, a cut answer,
 * 5xx, 408, 429) are tried again up to `triesMax` times, with growing pauses that chance spreads. Redirects are not
 * followed: a signature is for one host. Answers are read no further than what was asked for could be.
 *
 * A write whose answer never came may have taken place, or may yet: repeating it is safe, as it writes the same.
 */
import { AwsV4Signer } from "aws4fetch"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { createHash } from "node:crypto"
import type { StorageError } from "../../effects/Storage.ts"
import * as S3Answer from "./S3Answer.ts"

export interface S3BucketOptions {
  /** `https://HOST[:PORT]`. */
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  readonly accessKeyId: Redacted.Redacted<string>
  readonly secretAccessKey: Redacted.Redacted<string>
  /** Of one try, the body included. */
  readonly timeoutMillis?: number
  /** Before the second try; it doubles with each, and chance spreads it. */
  readonly pauseMillis?: number
  /** Objects of one page of a listing; the store may give fewer. */
  readonly pageMax?: number
}

/** Holds for a write: the object is absent, or is the one with this tag. `mark` is kept beside it, and says who wrote. */
export interface Condition {
  /** "absent", or the tag. */
  readonly tag: string
  readonly mark: string
}

export interface S3Bucket {
  /** Endpoint and bucket, for messages. */
  readonly where: string
  /** The first `bytesMax` bytes (all, unless it is longer), and the tag of this version. */
  readonly get: (key: string, bytesMax: number) => Effect.Effect<Option.Option<S3Object>, StorageError>
  /** The new tag; none if the condition did not hold. A store that knows no conditions writes all the same. */
  readonly put: (
    key: string,
    bytes: Uint8Array<ArrayBuffer>,
    condition?: Condition
  ) => Effect.Effect<Option.Option<string>, StorageError>
  readonly has: (key: string) => Effect.Effect<boolean, StorageError>
  /** Also when there is nothing. */
  readonly remove: (key: string) => Effect.Effect<void, StorageError>
  /** Every object whose key begins so. */
  readonly list: (prefix: string) => Effect.Effect<S3Answer.S3Page["objects"], StorageError>
}

export interface S3Object {
  readonly bytes: Uint8Array
  readonly tag: string
  /** Empty when it was written without a condition. */
  readonly mark: string
}

export const make = (options: S3BucketOptions): S3Bucket => {
  const where = `bucket "${options.bucket}" at ${options.endpoint}`
  const base = `${options.endpoint.replace(/\/$/u, "")}/${options.bucket}`
  const urlOf = (key: string): string => `${base}/${key.split("/").map(encodeURIComponent).join("/")}`

  const pauses = Schedule.jittered(Schedule.exponential(options.pauseMillis ?? pauseMillisDefault))

  const ask = (request: S3Request) =>
    Effect.tryPromise({
      try: (signal) => exchange(request, options, signal),
      catch: (cause) => new PassingFault({ error: S3Answer.refused("down", `${where}: ${reasonOf(cause)}`) })
    }).pipe(
      Effect.filterOrFail(
        (answer) => !S3Answer.isPassing(answer),
        (answer) => new PassingFault({ error: S3Answer.errorOf(answer, where) })
      ),
      Effect.retry({ schedule: pauses, times: triesMax - 1 }),
      Effect.mapError(({ error }) => error)
    )

  const refuse = (answer: S3Answer.S3Answer) => Effect.fail(S3Answer.errorOf(answer, where))

  const put: S3Bucket["put"] = Effect.fnUntraced(function* (key, bytes, condition) {
    const answer = yield* ask({ method: "PUT", url: urlOf(key), body: bytes, headers: headersOf(condition) })
    if (condition !== undefined && answer.status === 412) return Option.none()
    if (condition !== undefined && answer.status === 501) return yield* put(key, bytes)
    return isGood(answer) ? Option.some(tagOf(answer)) : yield* refuse(answer)
  })

  const page = Effect.fnUntraced(function* (prefix: string, from: string | undefined) {
    const query = new URLSearchParams({ "list-type": "2", "max-keys": String(options.pageMax ?? pageMax), prefix })
    if (from !== undefined) query.set("continuation-token", from)
    const answer = yield* ask({ method: "GET", url: `${base}?${query}`, bytesMax: pageBytesMax })
    if (!isGood(answer)) return yield* refuse(answer)
    const found = S3Answer.pageOf(answer.body)
    return found ?? (yield* S3Answer.refused("down", `${where} answers a listing that is none`))
  })

  return {
    where,
    put,
    get: Effect.fnUntraced(function* (key, bytesMax) {
      const headers = { range: `bytes=0-${bytesMax - 1}` }
      const answer = yield* ask({ method: "GET", url: urlOf(key), headers, bytesMax })
      const mark = answer.headers.get(markHeader) ?? ""
      if (isGood(answer)) return Option.some({ bytes: answer.body, tag: tagOf(answer), mark })
      // an object without a byte has no range that could be satisfied
      if (answer.status === 416) return Option.some({ bytes: new Uint8Array(0), tag: tagOf(answer), mark })
      return isAbsent(answer) ? Option.none() : yield* refuse(answer)
    }),
    has: Effect.fnUntraced(function* (key) {
      const answer = yield* ask({ method: "HEAD", url: urlOf(key) })
      return isGood(answer) || (answer.status === 404 ? false : yield* refuse(answer))
    }),
    remove: Effect.fnUntraced(function* (key) {
      const answer = yield* ask({ method: "DELETE", url: urlOf(key) })
      if (!isGood(answer) && !isAbsent(answer)) return yield* refuse(answer)
    }),
    list: Effect.fnUntraced(function* (prefix) {
      const objects: Array<S3Answer.S3Page["objects"][number]> = []
      let from: string | undefined
      do {
        const found: S3Answer.S3Page = yield* page(prefix, from)
        objects.push(...found.objects)
        from = found.next
      } while (from !== undefined)
      return objects
    })
  }
}

/** Tries of one request. */
export const triesMax = 5

const pauseMillisDefault = 100
const timeoutMillisDefault = 60_000
const pageMax = 1000
const pageBytesMax = 4 * 1024 * 1024
/** Of an answer that is to say no more than what is wrong. */
const errorBytesMax = 64 * 1024

const markHeader = "x-amz-meta-writer"

interface S3Request {
  readonly method: "GET" | "PUT" | "HEAD" | "DELETE"
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer>
  readonly bytesMax?: number
}

class PassingFault extends Data.TaggedError("PassingFault")<{ readonly error: StorageError }> {}

const exchange = async (request: S3Request, options: S3BucketOptions, signal: AbortSignal) => {
  const { body, headers = {}, method } = request
  const signer = new AwsV4Signer({
    method,
    url: request.url,
    headers: {
      ...headers,
      "x-amz-content-sha256": createHash("sha256")
        .update(body ?? "")
        .digest("hex")
    },
    accessKeyId: Redacted.value(options.accessKeyId),
    secretAccessKey: Redacted.value(options.secretAccessKey),
    service: "s3",
    region: options.region
  })
  const signed = await signer.sign()
  const response = await fetch(signed.url, {
    method,
    headers: signed.headers,
    redirect: "manual",
    signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMillis ?? timeoutMillisDefault)]),
    ...(body !== undefined && { body })
  })
  const bytesMax = response.ok ? (request.bytesMax ?? errorBytesMax) : errorBytesMax
  return { status: response.status, headers: response.headers, body: await firstBytes(response, bytesMax) }
}

const firstBytes = async ({ body }: Response, bytesMax: number): Promise<Uint8Array> => {
  const parts: Array<Uint8Array> = []
  let length = 0
  for await (const part of body ?? []) {
    parts.push(part)
    length += part.length
    if (length >= bytesMax) break
  }
  return new Uint8Array(Buffer.concat(parts).subarray(0, bytesMax))
}

const isGood = ({ status }: S3Answer.S3Answer): boolean => status >= 200 && status < 300

const isAbsent = (answer: S3Answer.S3Answer): boolean =>
  answer.status === 404 && S3Answer.codeOf(answer) !== "NoSuchBucket"

const tagOf = ({ headers }: S3Answer.S3Answer): string => headers.get("etag") ?? ""

const headersOf = (condition: Condition | undefined): Readonly<Record<string, string>> => {
  if (condition === undefined) return {}
  const { mark, tag } = condition
  return { [markHeader]: mark, ...(tag === "absent" ? { "if-none-match": "*" } : { "if-match": tag }) }
}

/** What the operating system or the HTTP client says; neither knows the secret. */
const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return "no connection"
  if (cause.name === "TimeoutError") return "no answer in time"
  const inner = cause.cause
  if (inner instanceof Error) return "code" in inner ? `${String(inner.code)} ${inner.message}`.trim() : inner.message
  return cause.message
}
