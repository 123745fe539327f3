/**
 * How many blobs a second are put durably and read back, eight at a time, by size: EncryptedFileStorage beside bare files
 * that are written as durably. Reading is from what the operating system has in memory, for both.
 */
import type { Question, Side } from "./question.ts"
import { secondsOf } from "./timing.ts"

/** What both sides are asked through. */
interface Blobs {
  readonly put: (key: number, bytes: Uint8Array) => Promise<void>
  readonly get: (key: number) => Promise<Uint8Array>
  readonly close: () => Promise<void>
}

interface Size {
  readonly name: string
  readonly bytes: number
  readonly count: number
}

const sizes: ReadonlyArray<Size> = [
  { name: "4k", bytes: 4 * 1024, count: 1_000 },
  { name: "64k", bytes: 64 * 1024, count: 500 },
  { name: "1m", bytes: 1024 * 1024, count: 100 }
]

const atOnce = 8

/** Blobs that are there already, so that nearly every directory is. */
const usedCount = 1_500

/** Each begins with its key, so that none is taken for another. */
const blobOf = (key: number, bytes: number): Uint8Array => {
  const blob = new Uint8Array(bytes).fill(key % 251)
  new DataView(blob.buffer).setUint32(0, key)
  return blob
}

const eachAtOnce = async (count: number, act: (key: number) => Promise<void>): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await act(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

type Open = (directory: string) => Promise<Blobs>

const putPerSecond =
  (open: () => Promise<Open>, { bytes, count }: Size) =>
  async (directory: string): Promise<number> => {
    const blobs = await (await open())(directory)
    const all = Array.from({ length: count }, (_, key) => blobOf(key, bytes))
    // a store in use has its directories
    await eachAtOnce(usedCount, (key) => blobs.put(count + key, all[0]!.subarray(0, 100)))
    const seconds = await secondsOf(() => eachAtOnce(count, (key) => blobs.put(key, all[key]!)))
    await blobs.close()
    return count / seconds
  }

const getPerSecond =
  (open: () => Promise<Open>, { bytes, count }: Size) =>
  async (directory: string): Promise<number> => {
    const opened = await open()
    const before = await opened(directory)
    await eachAtOnce(count, (key) => before.put(key, blobOf(key, bytes)))
    await before.close()
    const blobs = await opened(directory)
    const getAll = () =>
      eachAtOnce(count, async (key) => {
        const found = await blobs.get(key)
        const isRight = found.length === bytes && Buffer.from(found.buffer, found.byteOffset).readUInt32BE(0) === key
        if (!isRight) throw new Error(`blob ${key} has ${found.length} bytes that are not its own`)
      })
    // a store in use has looked at its directories
    await getAll()
    const seconds = await secondsOf(getAll)
    await blobs.close()
    return count / seconds
  }

const aura: Omit<Side, "run"> = {
  peer: "Aura",
  package: "aura",
  verifies:
    "each blob sealed with its key, and listed in a ledger that tells which version counts; fsync of file and name"
}
const bare: Omit<Side, "run"> = {
  peer: "bare files",
  package: "node",
  verifies: "nothing: a temporary file, fsync, rename, fsync of the directory"
}

const sealed = async (): Promise<Open> => (await import("./ours.ts")).sealedFiles
const files = async (): Promise<Open> => (await import("./peers/files.ts")).files

export const questions: ReadonlyArray<Question> = sizes.flatMap((size) =>
  (["put", "get"] as const).map((act): Question => {
    const perSecond = act === "put" ? putPerSecond : getPerSecond
    return {
      question: `storage-${act}-${size.name}`,
      unit: "blobs/s",
      better: "higher",
      ours: { ...aura, run: perSecond(sealed, size) },
      peers: [{ ...bare, run: perSecond(files, size) }]
    }
  })
)
