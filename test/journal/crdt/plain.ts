/** Views as plain arrays and objects, so that tests can compare whole values. */
import { MapView, SetView } from "../../../src/journal/crdt/Views.ts"

export const plain = (value: unknown): unknown => {
  if (value instanceof MapView) return [...value].map(([key, inside]) => [key, plain(inside)])
  if (value instanceof SetView) return { size: value.size, elements: [...value].map(plain) }
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([key, inside]) => [key, plain(inside)]))
}
