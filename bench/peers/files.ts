/**
 * Blobs as bare files, as durable as ours: a temporary file, fsync, rename, fsync of the directory. Nothing is sealed,
 * nobody tells an older version from the newest, and the name of a file is the key.
 */
import { mkdir, open, readFile, rename } from "node:fs/promises"
import { join } from "node:path"

/** In as many directories as EncryptedFileStorage has. */
export const files = async (directory: string) => {
  const folders = Array.from({ length: 256 }, (_, at) => join(directory, at.toString(16).padStart(2, "0")))
  for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o700 })
  const folderOf = (key: number): string => folders[key % folders.length]!
  let temporary = 0
  return {
    put: async (key: number, bytes: Uint8Array): Promise<void> => {
      const part = join(directory, `${temporary++}.tmp`)
      const file = await open(part, "wx", 0o600)
      await file.writeFile(bytes)
      await file.sync()
      await file.close()
      await rename(part, join(folderOf(key), String(key)))
      const folder = await open(folderOf(key), "r")
      await folder.sync()
      await folder.close()
    },
    get: (key: number): Promise<Uint8Array> => readFile(join(folderOf(key), String(key))),
    close: async (): Promise<void> => {}
  }
}
