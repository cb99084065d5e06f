/**
 * JSON text of anything a target answers. Bytes become hex, big integers decimal text, maps objects. Characters that
 * drive a terminal and that JSON leaves bare (DEL, C1, bidirectional marks) are escaped too, so that printed JSON is as
 * harmless as it is exact.
 */
export function jsonText(value: unknown, indent?: number): string {
  return harmless(JSON.stringify(value, plain, indent) ?? 'null')
}

/** JSON text whose strings hold nothing bare that drives a terminal; it says the same. */
export function harmless(json: string): string {
  return json.replace(BARE_CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** DEL and C1 controls, marks that reorder or hide text, line separators. */
const BARE_CONTROLS = /[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** `this[key]` is the value before `toJSON`, which a Buffer would otherwise use to become a list of numbers. */
function plain(this: unknown, key: string, value: unknown): unknown {
  const raw = (this as Record<string, unknown>)[key]
  if (raw instanceof Uint8Array) return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('hex')
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Map) return Object.fromEntries(value)
  if (value instanceof Set) return [...value]
  return value
}
