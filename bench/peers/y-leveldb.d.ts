/** The part of y-leveldb that the bench uses: the package's own types can't be resolved through its exports. */
declare module "y-leveldb" {
  import type { Doc } from "yjs"
  export class LeveldbPersistence {
    constructor(location: string, options: { readonly Level: unknown })
    getYDoc(name: string): Promise<Doc>
    storeUpdate(name: string, update: Uint8Array): Promise<number>
    destroy(): Promise<void>
  }
}
