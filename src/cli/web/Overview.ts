/**
 * What a person at this machine wants to see of a running server, as plain data: who it is, how it is, who belongs to
 * the space, who is connected, and the state by whatever definition is known, a bounded part of each field.
 */
import type { DeviceId } from "../../identity/Id.ts"
import type { FieldType } from "../../journal/crdt/Crdt.ts"
import { MapView, SetView } from "../../journal/crdt/Views.ts"
import * as Ledger from "../../runtime/Ledger.ts"
import * as Operations from "../../runtime/Operations.ts"
import * as Authority from "../../trust/Authority.ts"
import { definitionOf, type Readiness, type Site } from "./Site.ts"

/** Records of a map and elements of a set that are shown. */
export const rowsMax = 200

/** Characters of a value that are shown. */
const cellCharactersMax = 500

export interface Row {
  readonly id: string
  readonly cells: ReadonlyArray<string>
}

export type FieldShown =
  | {
      readonly _tag: "Table"
      readonly name: string
      readonly columns: ReadonlyArray<string>
      readonly rows: ReadonlyArray<Row>
      readonly count: number
    }
  | { readonly _tag: "List"; readonly name: string; readonly values: ReadonlyArray<string>; readonly count: number }
  | { readonly _tag: "Value"; readonly name: string; readonly value: string }

export interface Member {
  readonly device: DeviceId
  readonly name: string
  readonly isSelf: boolean
  readonly isRevoked: boolean
  readonly isConnected: boolean
}

export interface Overview {
  readonly app: string
  readonly version: number | undefined
  /** False: this device relays and verifies, and performs nothing. */
  readonly hasCode: boolean
  readonly uptimeSeconds: number
  readonly readiness: Readiness
  readonly entries: number
  readonly quarantined: number
  readonly members: ReadonlyArray<Member>
  readonly peers: ReadonlyArray<{ readonly device: DeviceId; readonly address: string; readonly isCaughtUp: boolean }>
  readonly fields: ReadonlyArray<FieldShown>
}

export const of = (site: Site, readiness: Readiness): Overview => {
  const ledger = site.replica.ledger()
  const definition = definitionOf(site)
  const links = site.agent.links()
  const connected = new Set(links.map(({ connection }) => connection.peer))
  const members = ledger.authority === undefined ? [] : Authority.members(ledger.authority)
  const shown = definition === undefined || definition.unknownKind !== undefined ? {} : Ledger.read(ledger, definition)
  return {
    app: definition?.app ?? ledger.genesis?.app ?? "",
    version: definition?.version,
    hasCode: site.app !== undefined,
    uptimeSeconds: Math.max(0, Math.floor((site.time.now().millis - site.startedMillis) / 1000)),
    readiness,
    entries: ledger.applied,
    quarantined: ledger.quarantine.size,
    members: members.map(({ device, name, revoked }) => ({
      device,
      name,
      isSelf: device === site.agent.device,
      isRevoked: revoked,
      isConnected: connected.has(device)
    })),
    peers: links.map(({ connection, isCaughtUp }) => ({
      device: connection.peer,
      address: connection.address,
      isCaughtUp: isCaughtUp(site.replica.space)
    })),
    fields: Object.entries(site.app?.types ?? definition?.fields ?? {}).map(([name, type]) =>
      fieldOf(name, type, shown[name])
    )
  }
}

const fieldOf = (name: string, type: FieldType, value: unknown): FieldShown => {
  if (value instanceof MapView) {
    const columns = type.fields === undefined ? ["value"] : Object.keys(type.fields)
    const rows = value.page({ limit: rowsMax }).map(([id, record]: readonly [string, unknown]) => ({
      id,
      cells: type.fields === undefined ? [cellOf(record)] : columns.map((column) => cellOf(partOf(record, column)))
    }))
    return { _tag: "Table", name, columns, rows, count: value.size }
  }
  if (value instanceof SetView || Array.isArray(value)) {
    const values: Array<string> = []
    for (const one of value) {
      if (values.length >= rowsMax) break
      values.push(cellOf(one))
    }
    return { _tag: "List", name, values, count: value instanceof SetView ? value.size : value.length }
  }
  return { _tag: "Value", name, value: cellOf(value) }
}

const partOf = (record: unknown, name: string): unknown =>
  typeof record === "object" && record !== null ? Reflect.get(record, name) : undefined

const cellOf = (value: unknown): string => {
  const text = textOf(value)
  return text.length <= cellCharactersMax ? text : `${text.slice(0, cellCharactersMax)}\u2026`
}

const textOf = (value: unknown): string => {
  if (value === undefined || value === null) return ""
  if (typeof value === "boolean") return value ? "yes" : "no"
  return typeof value === "string" ? value : JSON.stringify(Operations.toJson(value))
}
