/** The two ways a command answers: one JSON value, or text. Listings are streamed either way. */
import { jsonText } from '../control/json.js'
import type { Context } from './context.js'

/** JSON with --json, text for people otherwise. */
export async function print(context: Context, value: unknown, text: () => string): Promise<void> {
  await context.out.write(context.json ? jsonText(value, 2) + '\n' : text())
}

/** A JSON array, one element a line, written as the elements come. */
export async function printJsonArray(context: Context, items: AsyncIterable<unknown>): Promise<void> {
  let before = '['
  for await (const item of items) {
    await context.out.write(`${before}\n${jsonText(item)}`)
    before = ','
  }
  await context.out.write(before === '[' ? '[]\n' : '\n]\n')
}

/** Items in groups, so that a table is aligned without holding a whole listing. */
export async function* groupsOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = []
  for await (const item of items) {
    group.push(item)
    if (group.length < size) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}
