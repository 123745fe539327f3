/** Secrets in a directory: the laws, what survives, and every way in which the directory could be open to others. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as fileSystem from "node:fs/promises"
import * as path from "node:path"
import { secretStoreLaws } from "../../../src/conformance/SecretStoreLaws.ts"
import { SecretStore } from "../../../src/effects/SecretStore.ts"
import * as DirectorySecretStore from "../../../src/handlers/node/DirectorySecretStore.ts"
import type { Disk } from "../../../src/handlers/node/PrivatePath.ts"
import { cutAt, filesBelow, systemError, temporaryDirectory, watched, type Loss } from "./disks.ts"

const secret = Redacted.make(new TextEncoder().encode("planted secret"))

const using = <A, E>(
  directory: string,
  work: (store: SecretStore["Service"]) => Effect.Effect<A, E>,
  disk: Disk = fileSystem
) => Effect.provide(Effect.flatMap(SecretStore, work), DirectorySecretStore.layer({ directory, disk }))

const put = (directory: string, disk?: Disk) => using(directory, (store) => store.put("alpha", secret), disk)

const get = (directory: string, disk?: Disk) =>
  Effect.map(
    using(directory, (store) => store.get("alpha"), disk),
    Option.map(Redacted.value)
  )

/** The refusal, as [tag, what, allowed]. */
const refusal = <A, E extends { readonly reason: { readonly _tag: string } }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => [
    reason._tag,
    "what" in reason ? String(reason.what) : "",
    "allowed" in reason ? String(reason.allowed) : ""
  ])

/** The real disk, but some paths belong to other people or have other modes: a test needs not be root for that. */
const pretending = (
  pretended: Record<string, { readonly uid?: number; readonly gid?: number; readonly mode?: number }>
): Disk => ({
  ...fileSystem,
  lstat: (async (file: string) => Object.assign(await fileSystem.lstat(file), pretended[file])) as Disk["lstat"],
  readFile: (async (file: string) =>
    file === "/etc/group"
      ? "root:x:0:\nalice:x:7001:\nmixed:x:7002:bob\nshared:x:7003:\n"
      : `alice:x:${process.geteuid!()}:7001::/:\nbob:x:7100:7003::/:\n`) as Disk["readFile"]
})

const octal = (mode: number): string => (mode & 0o777).toString(8)

describe("DirectorySecretStore keeps the laws", () => {
  for (const { name, check } of secretStoreLaws) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const directory = path.join(yield* temporaryDirectory, "secrets")
        yield* Effect.provide(check, DirectorySecretStore.layer({ directory }))
        assert.deepStrictEqual(yield* filesBelow(directory), [])
      })
    )
  }
})

describe("DirectorySecretStore", () => {
  it.effect("a secret is there for the next process, in a 0600 file of a 0700 directory", () =>
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "deep", "er", "secrets")
      yield* put(directory)
      assert.deepStrictEqual(yield* get(directory), Option.some(Redacted.value(secret)))
      const modes = yield* Effect.promise(() =>
        Promise.all(
          [path.dirname(path.dirname(directory)), directory, path.join(directory, "secret-alpha.bin")].map(
            async (file) => octal((await fileSystem.stat(file)).mode)
          )
        )
      )
      assert.deepStrictEqual(modes, ["700", "700", "600"])
    })
  )

  it.effect("what a crash left behind is removed at the next start, and nothing else", () =>
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "secrets")
      yield* put(directory)
      for (const name of ["0123456789abcdef.tmp", "notes.tmp"]) {
        yield* Effect.promise(() => fileSystem.writeFile(path.join(directory, name), "torn", { mode: 0o600 }))
      }
      assert.deepStrictEqual(yield* get(directory), Option.some(Redacted.value(secret)))
      assert.deepStrictEqual(yield* filesBelow(directory), ["notes.tmp", "secret-alpha.bin"])
    })
  )

  for (const loss of ["nothing", "bytes", "bytes and names"] as ReadonlyArray<Loss>) {
    it.effect(`a power cut at any step that loses ${loss} leaves the old secret or the new, whole`, () =>
      Effect.gen(function* () {
        const next = Redacted.make(new TextEncoder().encode("the next secret, longer than the first"))
        for (let step = 0; ; step++) {
          const directory = path.join(yield* temporaryDirectory, "secrets")
          yield* put(directory)
          const { disk, isCut, lose } = cutAt(step)
          const exit = yield* Effect.exit(using(directory, (store) => store.put("alpha", next), disk))
          yield* Effect.promise(() => lose(loss))
          const found = Option.map(yield* get(directory), (bytes) => new TextDecoder().decode(bytes))
          const allowed = exit._tag === "Success" ? [next] : [secret, next]
          const texts = allowed.map((one) => new TextDecoder().decode(Redacted.value(one)))
          assert.include(texts, Option.getOrUndefined(found), `power cut at step ${step}`)
          if (!isCut()) {
            assert.isAtLeast(step, 4, "write, sync, rename and the directory's sync are steps")
            return
          }
        }
      })
    )
  }

  it.effect("a directory or file that others may enter is refused with what and what is allowed", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const directory = path.join(parent, "secrets")
      const file = path.join(directory, "secret-alpha.bin")
      yield* put(directory)
      const refusals: Array<unknown> = []
      for (const [where, open, closed] of [
        [directory, 0o750, 0o700],
        [directory, 0o701, 0o700],
        [file, 0o640, 0o600],
        [parent, 0o777, 0o700]
      ] as const) {
        yield* Effect.promise(() => fileSystem.chmod(where, open))
        refusals.push(yield* refusal(get(directory)))
        yield* Effect.promise(() => fileSystem.chmod(where, closed))
      }
      assert.deepStrictEqual(refusals, [
        ["SecretStoreExposed", "mode 0750", `mode 0700 (chmod 700 "${directory}")`],
        ["SecretStoreExposed", "mode 0701", `mode 0700 (chmod 700 "${directory}")`],
        ["SecretStoreExposed", "mode 0640", `mode 0600 (chmod 600 "${file}")`],
        ["SecretStoreExposed", "mode 0777", `no writing by others (chmod go-w "${parent}"), or the sticky bit`]
      ])
      assert.deepStrictEqual(yield* get(directory), Option.some(Redacted.value(secret)))
    })
  )

  it.effect("a parent that others may write is taken with the sticky bit", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      yield* Effect.promise(() => fileSystem.chmod(parent, 0o1777))
      yield* put(path.join(parent, "secrets"))
    })
  )

  it.effect("a group may write a parent only if nobody but us is in it", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const directory = path.join(parent, "secrets")
      const withGroup = (gid: number) => put(directory, pretending({ [parent]: { gid, mode: 0o40770 } }))
      yield* withGroup(7001)
      for (const gid of [7002, 7003, 7999]) {
        assert.deepStrictEqual((yield* refusal(withGroup(gid))).slice(0, 2), ["SecretStoreExposed", "mode 0770"])
      }
    })
  )

  it.effect("a directory, or a parent, of another user is refused", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const directory = path.join(parent, "secrets")
      yield* put(directory)
      for (const where of [directory, parent]) {
        const [tag, what] = yield* refusal(get(directory, pretending({ [where]: { uid: 7100 } })))
        assert.deepStrictEqual([tag, what], ["SecretStoreExposed", "it belongs to user 7100"], where)
      }
      yield* get(directory, pretending({ [parent]: { uid: 0 } }))
    })
  )

  it.effect("no link is followed: not as the directory, not as a file, and as a parent only one of ours", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const real = path.join(parent, "real")
      const link = path.join(parent, "link")
      yield* put(real)
      yield* Effect.promise(() => fileSystem.symlink(real, link))
      assert.deepStrictEqual((yield* refusal(get(link))).slice(0, 2), ["SecretStoreExposed", "a symbolic link"])
      yield* put(path.join(link, "inner"))
      assert.deepStrictEqual(yield* get(path.join(real, "inner")), Option.some(Redacted.value(secret)))
      const foreign = yield* refusal(get(path.join(link, "inner"), pretending({ [link]: { uid: 7100 } })))
      assert.deepStrictEqual(foreign.slice(0, 2), ["SecretStoreExposed", "a link that belongs to user 7100"])

      const file = path.join(real, "secret-alpha.bin")
      yield* Effect.promise(() => fileSystem.rename(file, path.join(parent, "elsewhere")))
      yield* Effect.promise(() => fileSystem.symlink(path.join(parent, "elsewhere"), file))
      assert.deepStrictEqual((yield* refusal(get(real))).slice(0, 2), ["SecretStoreExposed", "a symbolic link"])
      yield* put(real)
      assert.isTrue((yield* Effect.promise(() => fileSystem.lstat(file))).isFile(), "a put replaces the link itself")
    })
  )

  it.effect("links that lead in a circle, and things that are no directory, end in a refusal", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      yield* Effect.promise(() => fileSystem.symlink(path.join(parent, "b"), path.join(parent, "a")))
      yield* Effect.promise(() => fileSystem.symlink(path.join(parent, "a"), path.join(parent, "b")))
      assert.strictEqual((yield* refusal(get(path.join(parent, "a", "secrets"))))[1], "too many links")
      yield* Effect.promise(() => fileSystem.writeFile(path.join(parent, "file"), ""))
      assert.strictEqual((yield* refusal(get(path.join(parent, "file", "secrets"))))[1], "not a directory")
      assert.strictEqual((yield* refusal(get(path.join(parent, "file"))))[1], "not a directory")
    })
  )

  it.effect("what the operating system refuses is unavailable, and the old secret stands", () =>
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "secrets")
      yield* put(directory)
      for (const code of ["ENOSPC", "EIO"]) {
        const failing = watched((step) => (step === "write" ? Promise.reject(systemError(code)) : Promise.resolve()))
        assert.strictEqual((yield* refusal(put(directory, failing)))[0], "SecretStoreUnavailable")
      }
      assert.deepStrictEqual(yield* filesBelow(directory), ["secret-alpha.bin"])
      assert.deepStrictEqual(yield* get(directory), Option.some(Redacted.value(secret)))
    })
  )

  it.effect("errors name files, never a byte of a secret", () =>
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "secrets")
      const failing = watched((step) => (step === "sync" ? Promise.reject(systemError("EIO")) : Promise.resolve()))
      const error = yield* Effect.flip(put(directory, failing))
      assert.notInclude(`${error} ${JSON.stringify(error)} ${error.stack}`, "planted")
    })
  )
})
