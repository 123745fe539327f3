/**
 * What an S3-compatible store answers, and what it means to us: objects of a listing, and errors by their codes.
 *
 * Of XML only the few elements that S3 documents are looked for; an answer without them is one of a fault. Messages name
 * endpoint and bucket and the store's own code, never what was sent with the request.
 */
import { StorageError, StorageFull, StorageUnavailable, type StorageRefusal } from "../../effects/Storage.ts"

export interface S3Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

export interface S3Page {
  readonly objects: ReadonlyArray<{ readonly key: string; readonly bytes: number }>
  /** Leads to the next page; undefined on the last. */
  readonly next: string | undefined
}

/** A page of ListObjectsV2; undefined if it is none. */
export const pageOf = (body: Uint8Array): S3Page | undefined => {
  const xml = new TextDecoder().decode(body)
  if (!xml.trimEnd().endsWith("</ListBucketResult>")) return undefined
  const objects = [...xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/gu)].map(([, inside]) => ({
    key: element(inside!, "Key") ?? "",
    bytes: Number(element(inside!, "Size") ?? 0)
  }))
  const isCut = element(xml, "IsTruncated") === "true"
  return { objects, next: isCut ? element(xml, "NextContinuationToken") : undefined }
}

/** The store's word for what is wrong; empty where it says none. */
export const codeOf = ({ body }: S3Answer): string => element(new TextDecoder().decode(body), "Code") ?? ""

/** True for what may be gone at the next try. */
export const isPassing = (answer: S3Answer): boolean =>
  (answer.status >= 500 && answer.status !== 501 && !isFull(answer)) ||
  answer.status === 408 ||
  answer.status === 429 ||
  (answer.status === 409 && codeOf(answer) === "ConditionalRequestConflict") ||
  codeOf(answer) === "RequestTimeout"

/** `where` names endpoint and bucket. */
export const errorOf = (answer: S3Answer, where: string): StorageError => {
  if (isFull(answer)) return new StorageError({ reason: new StorageFull({ limitBytes: 0, where }) })
  const code = codeOf(answer)
  const said = `${where} answers ${answer.status}${code === "" ? "" : ` ${code}`}`
  if (code === "RequestTimeTooSkewed") {
    const there = answer.headers.get("date")
    const clock = there === null ? "" : `; there it is ${there}`
    return refused("clockSkew", `${said}: this machine's clock is too far off${clock}: correct it`)
  }
  if (code === "NoSuchBucket") return refused("noBucket", `${said}: create the bucket, or correct storage.s3.bucket`)
  if (answer.status === 401 || answer.status === 403) {
    return refused(
      "forbidden",
      `${said}: check storage.s3.accessKeyId and its secret, and that it may get, put, delete and list there`
    )
  }
  if (answer.status >= 300 && answer.status < 400) {
    return refused("forbidden", `${said}: the bucket is elsewhere: correct storage.s3.endpoint or storage.s3.region`)
  }
  return refused("down", said)
}

export const refused = (why: StorageRefusal, what: string): StorageError =>
  new StorageError({ reason: new StorageUnavailable({ what, why }) })

/** No room there, in the words of several stores. */
const fullCodes = new Set([
  "EntityTooLarge",
  "InsufficientCapacity",
  "QuotaExceeded",
  "ServiceQuotaExceeded",
  "XMinioAdminBucketQuotaExceeded",
  "XMinioStorageFull"
])

const isFull = (answer: S3Answer): boolean => answer.status === 507 || fullCodes.has(codeOf(answer))

const element = (xml: string, name: string): string | undefined => {
  const found = new RegExp(`<${name}>([^<]*)</${name}>`, "u").exec(xml)
  return found === null ? undefined : unescaped(found[1]!)
}

const unescaped = (text: string): string =>
  text.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/giu, (whole, decimal?: string, hex?: string, name?: string) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }[name ?? ""] ?? whole
  })
