/**
 * The bytes of a sealed store: its header, its records, and the names of their files. Bytes in, bytes out.
 *
 * Header (the file "header"):
 *
 *     0   1  version, 1
 *     1  16  store id, random
 *    17   8  counter limit, big-endian: every record so far has a smaller counter
 *    25  32  HMAC-SHA-256(header key, bytes 0–24)
 *    57   …  Keys.seal("aura/storage/v1/" ‖ store id in hex) of the data key (32 bytes, random)
 *
 * HKDF-SHA-256(data key, store id, label) gives the header key, the name key and the record key. The file of a record is
 * HMAC-SHA-256(name key, storage key) in hex, two digits as directory and 62 as name. The record:
 *
 *     0   1  version, 1
 *     1   8  counter, big-endian: unique within the store, larger in later puts
 *     9   2  n, big-endian
 *    11   n  sealed (XChaCha.ts): storage key in UTF-8; context "aura/storage/key/v1" NUL ‖ store id ‖ file name (32) ‖ bytes 0–10
 *  11+n   …  sealed: the blob; context "aura/storage/blob/v1" NUL ‖ store id ‖ bytes 0 to 10+n ‖ storage key
 *
 * So a record opens only in its own store, under its own key, with its own counter, whole. The key is sealed apart from
 * the blob because a listing reads the first 563 bytes of a file, not 64 MiB. What a reader of the directory learns:
 * how many records there are, the length of each blob and each key, the order in which they were put.
 *
 * An older version of a whole record, put back in its place, opens; which one counts, SealedLedger.ts tells.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto"
import { blobBytesMax, keyBytesMax } from "../../effects/Storage.ts"
import { domain } from "../../identity/Hash.ts"
import * as XChaCha from "./XChaCha.ts"

export const storeIdBytes = 16

/** From here on a header file holds the sealed data key. */
const headBytes = 57

export interface StoreKeys {
  readonly storeId: Uint8Array
  readonly header: Uint8Array
  readonly name: Uint8Array
  readonly record: Uint8Array
}

/** Derived anew from the same data key and store id, they are the same. */
export const deriveKeys = (dataKey: Uint8Array, storeId: Uint8Array): StoreKeys => {
  const derive = (use: string): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", dataKey, storeId, `aura/storage/v1/${use}`, XChaCha.keyBytes))
  return { storeId, header: derive("header"), name: derive("name"), record: derive("record") }
}

export const wipe = ({ header, name, record }: StoreKeys): void => {
  for (const key of [header, name, record]) key.fill(0)
}

/** For what the data key is sealed. */
export const purposeOf = (storeId: Uint8Array): string => `aura/storage/v1/${Buffer.from(storeId).toString("hex")}`

export interface Header {
  readonly counterLimit: number
  readonly sealedDataKey: Uint8Array
}

export const encodeHeader = (keys: StoreKeys, header: Header): Uint8Array => {
  const bytes = Buffer.alloc(headBytes)
  bytes[0] = version
  bytes.set(keys.storeId, 1)
  bytes.writeBigUInt64BE(BigInt(header.counterLimit), 17)
  bytes.set(hmac(keys.header, bytes.subarray(0, 25)), 25)
  return Buffer.concat([bytes, header.sealedDataKey])
}

/** The parts of a header that are needed to find its keys; nothing of it is proved before `openHeader`. */
export const splitHeader = (
  bytes: Uint8Array
): Result.Result<{ readonly storeId: Uint8Array; readonly sealedDataKey: Uint8Array }, string> => {
  if (bytes.length <= headBytes) return Result.fail(`it has only ${bytes.length} bytes`)
  if (bytes[0] !== version) return Result.fail(unknownVersion(bytes))
  return Result.succeed({ storeId: bytes.slice(1, 17), sealedDataKey: bytes.slice(headBytes) })
}

export const openHeader = (keys: StoreKeys, bytes: Uint8Array): Result.Result<Header, string> => {
  const isWhole = timingSafeEqual(hmac(keys.header, bytes.subarray(0, 25)), bytes.subarray(25, headBytes))
  return isWhole
    ? Result.succeed({ counterLimit: counterAt(bytes, 17), sealedDataKey: bytes.slice(headBytes) })
    : Result.fail("its check value does not match")
}

/** Where the record of a storage key lies: "3f/a0…". */
export const fileOf = (keys: StoreKeys, key: string): string => {
  const name = hmac(keys.name, utf8(key)).toString("hex")
  return `${name.slice(0, 2)}/${name.slice(2)}`
}

/** True for what `fileOf` gives out. */
export const isFile = (file: string): boolean => /^[0-9a-f]{2}\/[0-9a-f]{62}$/.test(file)

/** The bytes with which every record begins, the sealed key included. */
export const beginBytesMax = 11 + keyBytesMax + XChaCha.overheadBytes

export const recordBytesMax = beginBytesMax + blobBytesMax + XChaCha.overheadBytes

/** The record in two parts, to be written one after the other. */
export const encodeRecord = (
  keys: StoreKeys,
  key: string,
  counter: number,
  blob: Uint8Array
): readonly [Uint8Array, Uint8Array] => {
  const plainKey = utf8(key)
  const head = Buffer.alloc(11)
  head[0] = version
  head.writeBigUInt64BE(BigInt(counter), 1)
  head.writeUInt16BE(plainKey.length + XChaCha.overheadBytes, 9)
  const begin = Buffer.concat([head, XChaCha.seal(keys.record, plainKey, keyContext(keys, fileOf(keys, key), head))])
  return [begin, XChaCha.seal(keys.record, blob, blobContext(keys, begin, plainKey))]
}

/** The counter of a record; nothing of it is proved before the record or its key opens. 0 for what is none. */
export const counterOf = (bytes: Uint8Array): number => (bytes.length < 9 ? 0 : counterAt(bytes, 1))

/** The blob that was put under `key`; otherwise what is wrong. */
export const openRecord = (keys: StoreKeys, key: string, bytes: Uint8Array): Result.Result<Uint8Array, string> =>
  Result.flatMap(split(bytes), ({ begin, rest }) => {
    if (bytes.length > recordBytesMax) return Result.fail("it is longer than any record")
    const blob = XChaCha.open(keys.record, rest, blobContext(keys, begin, utf8(key)))
    return Result.fromOption(blob, () => "it was altered or cut, or belongs to another key or store")
  })

/** The storage key of the record in `file`, from its first `beginBytesMax` bytes or more. */
export const openKey = (keys: StoreKeys, file: string, bytes: Uint8Array): Result.Result<string, string> =>
  Result.flatMap(split(bytes), ({ begin }) => {
    const context = keyContext(keys, file, begin.subarray(0, 11))
    const plainKey = XChaCha.open(keys.record, begin.subarray(11), context)
    return Option.isSome(plainKey)
      ? Result.succeed(new TextDecoder().decode(plainKey.value))
      : Result.fail("its beginning was altered, or belongs to another file or store")
  })

const version = 1
const keyTag = domain("aura/storage/key/v1")
const blobTag = domain("aura/storage/blob/v1")

const split = (bytes: Uint8Array) => {
  if (bytes.length < 11) return Result.fail(`it has only ${bytes.length} bytes`)
  if (bytes[0] !== version) return Result.fail(unknownVersion(bytes))
  const end = 11 + bytes[9]! * 256 + bytes[10]!
  return Result.succeed({ begin: bytes.subarray(0, end), rest: bytes.subarray(end) })
}

const keyContext = (keys: StoreKeys, file: string, head: Uint8Array): Uint8Array =>
  Buffer.concat([keyTag, keys.storeId, Buffer.from(file.replace("/", ""), "hex"), head])

const blobContext = (keys: StoreKeys, begin: Uint8Array, plainKey: Uint8Array): Uint8Array =>
  Buffer.concat([blobTag, keys.storeId, begin, plainKey])

/** Exact: a store does not live to see 2^53 puts. */
const counterAt = (bytes: Uint8Array, offset: number): number =>
  Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(offset))

const unknownVersion = (bytes: Uint8Array): string => `its format is ${bytes[0]}, this version reads ${version}`

const hmac = (key: Uint8Array, bytes: Uint8Array): Buffer => createHmac("sha256", key).update(bytes).digest()

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
