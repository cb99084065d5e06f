/** Many entries with their bytes: what `open` gives one by one, read page by page, the next while one is looked at. */
import type { CatalogReader, Listed } from '../catalog/index.js'
import type { EntryWithBody } from '../control/target.js'
import { MAX_INLINE_BODY_BYTES, type BodyRef } from '../wire/index.js'
import type { EntryLines } from './lines.js'

/** Entries of a page. */
const PAGE_ENTRIES = 128
/** Pages read while one is looked at: with bodies of at most `MAX_INLINE_BODY_BYTES` some 8 MiB. */
const PAGES_AHEAD = 3

/** Those of these entries that are listed, in this order. */
export async function* listedOf(reader: CatalogReader, ids: Iterable<string>): AsyncGenerator<Listed> {
  for (const page of pagesOf([...ids])) {
    await reader.prefetch(page)
    for (const id of page) {
      const listed = reader.listed(id)
      if (listed !== undefined) yield listed
    }
  }
}

function* pagesOf(ids: readonly string[]): Iterable<readonly string[]> {
  for (let from = 0; from < ids.length; from += PAGE_ENTRIES) yield ids.slice(from, from + PAGE_ENTRIES)
}

/** Each with its bytes, where it is a small file. */
export async function* withBodies(lines: EntryLines, listed: AsyncIterable<Listed>): AsyncGenerator<EntryWithBody> {
  const iterator = listed[Symbol.asyncIterator]()
  const ahead: Array<Promise<EntryWithBody[]>> = []
  try {
    for (let ended = false; ;) {
      while (!ended && ahead.length < PAGES_AHEAD) {
        const found = await take(iterator)
        ended = found.length < PAGE_ENTRIES
        const read = page(lines, found)
        // who wants no more does not wait for it
        read.catch(() => undefined)
        ahead.push(read)
      }
      const here = await ahead.shift()
      if (here === undefined) return
      yield* here
    }
  } finally {
    await iterator.return?.()
  }
}

async function take(iterator: AsyncIterator<Listed>): Promise<Listed[]> {
  const found: Listed[] = []
  while (found.length < PAGE_ENTRIES) {
    const next = await iterator.next()
    if (next.done === true) break
    found.push(next.value)
  }
  return found
}

async function page(lines: EntryLines, found: readonly Listed[]): Promise<EntryWithBody[]> {
  const small = found.map(({ entry: { meaning } }) =>
    meaning.body && isSmall(meaning.body) ? meaning.body : undefined
  )
  const bodies = (await lines.reader.inlineBodies(small.filter((ref) => ref !== undefined))).values()
  return found.map((listed, at) => {
    const body = small[at] && bodies.next().value
    return body === undefined ? { entry: lines.of(listed) } : { entry: lines.of(listed), body }
  })
}

const isSmall = ({ size }: BodyRef): boolean => size <= MAX_INLINE_BODY_BYTES
