/**
 * What a command says when it can't do what was asked: what is wrong, where, what is allowed, and what to do about it.
 *
 * With `--json` a problem is `{ok: false, error: {code, what, where, allowed, do}}`; absent parts are left out, `details`
 * holds lists (several problems of a configuration, damaged entries). `code` is the tag of the error behind it and is
 * the part that scripts may rely on. A problem never holds a secret. Usage problems end with code 2, others with 1.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Revoked from "./Revoked.ts"

export class Problem extends Schema.TaggedError<Problem>()("Problem", {
  code: Schema.String,
  what: Schema.String,
  where: Schema.optionalKey(Schema.String),
  allowed: Schema.optionalKey(Schema.String),
  do: Schema.optionalKey(Schema.String),
  details: Schema.optionalKey(Schema.Array(Schema.Json)),
  isUsage: Schema.optionalKey(Schema.Boolean)
}) {
  override get message(): string {
    return this.what
  }
}

export interface Parts {
  readonly what: string
  readonly where?: string | undefined
  readonly allowed?: string | undefined
  readonly do?: string | undefined
  readonly details?: ReadonlyArray<Schema.Json> | undefined
  readonly isUsage?: boolean
}

export const make = (code: string, parts: Parts): Problem =>
  new Problem({
    code,
    what: parts.what,
    ...(parts.where === undefined ? {} : { where: parts.where }),
    ...(parts.allowed === undefined ? {} : { allowed: parts.allowed }),
    ...(parts.do === undefined ? {} : { do: parts.do }),
    ...(parts.details === undefined ? {} : { details: parts.details }),
    ...(parts.isUsage === true ? { isUsage: true } : {})
  })

/** The object behind `error` in the JSON contract. */
export const toJson = ({ code, details, do: way, what, where, allowed }: Problem): Schema.Json => ({
  code,
  what,
  ...(where === undefined ? {} : { where }),
  ...(allowed === undefined ? {} : { allowed }),
  ...(way === undefined ? {} : { do: way }),
  ...(details === undefined ? {} : { details })
})

/** Any typed error of Aura as a problem; what is no error of ours is a mistake of ours and says so. */
export const fromError = (error: unknown): Problem => {
  if (error instanceof Problem) return error
  const reason = reasonOf(error)
  if (reason === undefined) {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return make("Defect", { what, do: "this is a mistake in Aura: report it with the lines above" })
  }
  if (reason._tag === Revoked.code) return revoked(reason)
  return make(reason._tag, {
    what: reason.message ?? reason._tag,
    where: textOf(reason["where"] ?? reason["address"]),
    allowed: textOf(reason["allowed"]),
    do: textOf(reason["do"]) ?? waysOn[reason._tag]
  })
}

/** This device was put out: by whom and when stands in the details, too. */
const revoked = (error: Reason): Problem => {
  const fields = Option.map(Schema.decodeUnknownOption(Revoked.Revoked)(error), Revoked.dataOf)
  return make(Revoked.code, {
    what: Option.match(fields, { onNone: () => error.message ?? error._tag, onSome: Revoked.sentence }),
    details: Option.toArray(fields),
    do: Revoked.waysOn
  })
}

interface Reason {
  readonly [part: string]: unknown
  readonly _tag: string
  readonly message?: string
}

const isReason = (value: unknown): value is Reason =>
  typeof value === "object" && value !== null && "_tag" in value && typeof value._tag === "string"

/** Errors of contracts carry the kind of failure as `reason`. */
const reasonOf = (error: unknown): Reason | undefined => {
  if (!isReason(error)) return undefined
  return isReason(error["reason"]) ? error["reason"] : error
}

const textOf = (value: unknown): string | undefined => {
  if (Array.isArray(value)) return value.join(", ")
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined
}

const waysOn: Readonly<Record<string, string>> = {
  ArchiveBroken: "make the file anew, or take another copy of it; nothing of it was applied",
  ArchiveTooNew: "upgrade Aura; nothing was changed",
  ExportDamaged: 'run "aura journal verify": it tells what is damaged, and the ways on',
  DataDirectoryForeign: "name a directory that is empty or does not exist: --data DIRECTORY",
  DataDirectoryInUse: "wait until that process has finished, or stop it",
  DataDirectoryTooNew: "upgrade Aura; the directory was not touched",
  DirectoryExposed: "give it to yourself alone (chmod 700, chown), or name another directory with --data",
  DirectoryFull: "free space on the disk, then try again; what was there stands",
  DirectoryUnavailable: "check that the directory can be written to, or name another with --data",
  JournalCorrupt:
    "restore the directory from a backup; or, if another device has the space, move this one away and join again from there",
  JournalFull: "free space, then try again; nothing was written",
  JournalTooNew: "upgrade Aura; the journal was not touched",
  JournalLocked: "stop the other process, or let it do the work",
  JournalUnavailable: "check the disk and its permissions, then try again",
  FeedsExhausted: "start in a fresh directory and pair again; what this one wrote stays",
  KeysLocked: "give the passphrase: AURA_KEYS__PASSPHRASE_FILE=FILE, or keys.passphrase_file in aura.toml",
  KeysCorrupt: "restore the secrets directory from a backup, or start in a fresh directory and pair again",
  SecretStoreExposed: "give it to yourself alone: chmod 700 the directory, chmod 600 its files",
  SecretStoreUnavailable: "check that the directory can be read and written",
  Unreachable: 'check that "aura serve" runs there and that the address is right',
  PeerRefused: 'make sure whom you call: ask for a new code ("aura pair" there)',
  ConnectionClosed: "try again; if it stays so, look at the log of the other side",
  PairingRefused: 'run "aura pair" there once more and use the new code within ten minutes',
  OperationDenied: '"aura explain DEVICE OPERATION" shows what is missing; a device that may can give it: aura grant',
  OperationUnknown: "use one of the operations of the application",
  PayloadInvalid: "give the payload as JSON in the form that the operation takes",
  RequestConflict: "use another --key for another request",
  AuthorityExpired: "check the clock; otherwise move the tls directory away and give peers the new address",
  AuthorityDamaged: "restore the tls directory from a backup, or move it away to make a new one",
  AuthorityForeign: "move the file away to let a new one be made"
}
