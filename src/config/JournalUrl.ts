/**
 * The URL of a database that keeps a journal: postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…
 *
 * `sslrootcert`, `sslcert` and `sslkey` in the query name files of certificates: then sslmode has to demand TLS.
 * `host` and `dbname` in the query replace what stands before it, as the database's own tools have it, and the last of
 * equal names counts, as the driver has it. A host that is a directory means a socket.
 * A URL of another scheme is no database of ours.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

export const allowed = "postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full"

const lengthMax = 4096
const schemes = ["postgres:", "postgresql:"]
const modesWithTls = ["require", "verify-ca", "verify-full"]
const modes = ["disable", "allow", "prefer", ...modesWithTls]
const certificates = ["sslrootcert", "sslcert", "sslkey"]

/** Whether it is meant for us at all, whatever else is wrong with it. */
export const isOurs = (text: string): boolean => schemes.some((scheme) => text.toLowerCase().startsWith(scheme))

const parsed = (text: string): Option.Option<URL> => {
  const url = URL.parse(text)
  return url === null || !schemes.includes(url.protocol) ? Option.none() : Option.some(url)
}

const hostOf = (url: URL): string => lastOf(url, "host") ?? url.hostname

const lastOf = (url: URL, name: string): string | undefined => url.searchParams.getAll(name).at(-1)

const isWhole = (text: string): boolean =>
  Option.match(parsed(text), {
    onNone: () => false,
    onSome: (url) => {
      const mode = lastOf(url, "sslmode")
      return (
        (lastOf(url, "dbname") ?? url.pathname.slice(1)) !== "" &&
        hostOf(url) !== "" &&
        (mode === undefined || modes.includes(mode)) &&
        (lastOf(url, "sslcert") === undefined) === (lastOf(url, "sslkey") === undefined) &&
        (certificates.every((name) => lastOf(url, name) === undefined) || modesWithTls.includes(mode ?? ""))
      )
    }
  })

export const JournalUrl = Schema.String.pipe(
  Schema.check(Schema.isMaxLength(lengthMax), Schema.makeFilter(isWhole, { expected: allowed }))
)

/** Nobody on the way can read or replace the database: its certificate is checked, or there is no way. */
export const isSafe = (text: unknown): boolean =>
  typeof text === "string" &&
  Option.match(parsed(text), {
    onNone: () => false,
    onSome: (url) => lastOf(url, "sslmode") === "verify-full" || isHere(hostOf(url))
  })

const isHere = (host: string): boolean => host.startsWith("/") || ["localhost", "127.0.0.1", "[::1]"].includes(host)
