/**
 * A Hocuspocus server as a process of its own, with nothing but its port configured; answers GET with 200.
 */
import { Server } from "@hocuspocus/server"

const server = new Server({ address: "127.0.0.1", port: Number(process.argv[2]), quiet: true })
await server.listen()
