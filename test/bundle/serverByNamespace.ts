/** The mistake of a page that imports the server entry as a whole. */
import * as Server from "aura/server"

Object.assign(globalThis, { server: Server })
