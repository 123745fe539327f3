/**
 * How the way to a database is secured, by the names that PostgreSQL's own tools have for it in a URL:
 *
 *     sslmode       disable · prefer, allow: TLS if the server has it · require, verify-ca, verify-full: TLS or nothing
 *     sslrootcert   file of the authorities that may vouch for the server (PEM); without it, or "system": those of Node
 *     sslcert       file of the certificate that this agent shows (PEM), with `sslkey`, the file of its key
 *
 * Whenever there is TLS, certificate and name of the server are checked: `require` and `verify-ca` promise less elsewhere.
 * A certificate that is named is used, or nothing is sent: a URL that names one and would do without TLS is refused.
 */
import * as Effect from "effect/Effect"
import { readFileSync, statSync } from "node:fs"
import { createSecureContext, type ConnectionOptions, type SecureContext, type SecureContextOptions } from "node:tls"
import { JournalStoreError, JournalUnavailable } from "../../effects/JournalStore.ts"

const fileNames = ["sslrootcert", "sslcert", "sslkey"] as const
const modesWithTls = ["require", "verify-ca", "verify-full"]

/** Undefined: as `sslmode` alone has it. Reads the files, which are read again with the next opening of the journal. */
export const tlsOf = (url: URL): Effect.Effect<ConnectionOptions | undefined, JournalStoreError> =>
  Effect.gen(function* () {
    const given = (name: string) => url.searchParams.getAll(name).at(-1)
    if (fileNames.every((name) => given(name) === undefined)) return undefined
    const mode = given("sslmode")
    if (mode === undefined || !modesWithTls.includes(mode)) {
      return yield* refused(
        `its URL names certificates, but not sslmode=verify-full: without it they would not be used`
      )
    }
    const [authorities, certificate, key] = fileNames.map(given)
    if ((certificate === undefined) !== (key === undefined)) {
      return yield* refused("its URL names one of sslcert and sslkey: a certificate is of no use without its key")
    }
    if (key !== undefined) yield* expectPrivate(key)
    const files = {
      ...(authorities !== undefined &&
        authorities !== "system" && { ca: yield* contentOf("sslrootcert", authorities) }),
      ...(certificate !== undefined && { cert: yield* contentOf("sslcert", certificate) }),
      ...(key !== undefined && { key: yield* contentOf("sslkey", key) })
    }
    // Made here, where what is wrong with them is an error: in the driver it would be nobody's.
    return { secureContext: yield* contextOf(files) }
  })

const contextOf = (files: SecureContextOptions): Effect.Effect<SecureContext, JournalStoreError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(createSecureContext(files))
    } catch (error) {
      const why = error instanceof Error ? error.message : "unknown"
      return refused(`what sslrootcert, sslcert and sslkey name are no certificates with their key, in PEM (${why})`)
    }
  })

const contentOf = (name: string, file: string): Effect.Effect<string, JournalStoreError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(readFileSync(file, "utf8"))
    } catch (error) {
      return unreadable(name, file, error)
    }
  })

/** As the database's own tools have it: nobody but its owner may read a key, or the group if it is root's. */
const expectPrivate = (file: string): Effect.Effect<void, JournalStoreError> =>
  Effect.suspend(() => {
    try {
      const { mode, uid } = statSync(file)
      const isPrivate = process.platform === "win32" || (mode & (uid === 0 ? 0o037 : 0o077)) === 0
      return isPrivate ? Effect.void : refused(`others may read ${file}, which sslkey names: chmod 600 it`)
    } catch (error) {
      return unreadable("sslkey", file, error)
    }
  })

const unreadable = (name: string, file: string, error: unknown) =>
  refused(
    `the file ${file}, which ${name} names, can't be read (${error instanceof Error ? error.message : "unknown"})`
  )

const refused = (what: string) =>
  Effect.fail(new JournalStoreError({ reason: new JournalUnavailable({ what: `the database is not asked: ${what}` }) }))
