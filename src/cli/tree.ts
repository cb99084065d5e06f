/** Any JSON value as indented text, for the inspections whose shape is the node's own. */
import { jsonText } from '../control/json.js'
import { safe, shortId } from './terminal.js'

/** Keys of one object are aligned; long ids are shortened, `--json` has them whole. */
export function treeText(value: unknown, indent = ''): string {
  if (Array.isArray(value)) return value.map((item) => itemText(item, indent)).join('') || `${indent}none\n`
  if (!isObject(value)) return `${indent}${scalar(value)}\n`
  const entries = Object.entries(value)
  if (entries.length === 0) return `${indent}none\n`
  const width = Math.max(...entries.filter(([, item]) => isScalar(item)).map(([key]) => scalar(key).length), 0)
  return entries.map(([key, item]) => lineText(scalar(key), item, indent, width)).join('')
}

function lineText(key: string, item: unknown, indent: string, width: number): string {
  if (isScalar(item)) return `${indent}${key.padEnd(width)}  ${scalar(item)}\n`
  const empty = Array.isArray(item) ? item.length === 0 : Object.keys(item as object).length === 0
  return empty ? `${indent}${key}  none\n` : `${indent}${key}\n${treeText(item, `${indent}  `)}`
}

function itemText(item: unknown, indent: string): string {
  if (isScalar(item)) return `${indent}- ${scalar(item)}\n`
  const text = treeText(item, `${indent}  `)
  return `${indent}- ${text.slice(indent.length + 2)}`
}

function scalar(value: unknown): string {
  if (value === null || value === undefined) return '-'
  return safe(shortId(typeof value === 'string' ? value : jsonText(value)))
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
