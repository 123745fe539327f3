/** The mistake of a page that imports something by name from the server entry. */
import { Storage } from "aura/server"

Object.assign(globalThis, { storage: Storage })
