/** How an entry shows whose name another one owns: marked with its id, and never longer than a name may be. */
import { MAX_NAME_BYTES } from '../wire/index.js'

const MARK = '.conflict-'
const SHORT_ID = 8
const MARKED = /^(.*)\.conflict-([0-9a-f]{8}|[0-9a-f]{32})(\.[^.]*)?$/s
/** A longer ending is no file type and is cut like the rest of the name, bytes. */
const MAX_ENDING_BYTES = 32

/** `report.xml` of entry 35d3e606... shows as `report.conflict-35d3e606.xml`; a name too long for that loses its middle. */
export function markedName(name: string, id: string): string {
  const dot = name.lastIndexOf('.')
  const stem = dot > 0 ? name.slice(0, dot) : name
  const ending = name.slice(stem.length)
  const marked = `${stem}${MARK}${id.slice(0, SHORT_ID)}${ending}`
  return Buffer.byteLength(marked) <= MAX_NAME_BYTES ? marked : shortened(name, stem, ending, id)
}

/** With the whole id, because what is left of the name is not enough to find the entry again. */
function shortened(name: string, stem: string, ending: string, id: string): string {
  const keep = Buffer.byteLength(ending) <= MAX_ENDING_BYTES
  const tail = `${MARK}${id}${keep ? ending : ''}`
  return cut(keep ? stem : name, MAX_NAME_BYTES - Buffer.byteLength(tail)) + tail
}

/** As many whole characters as fit into `bytes`. */
function cut(text: string, bytes: number): string {
  let kept = ''
  let used = 0
  for (const character of text) {
    used += Buffer.byteLength(character)
    if (used > bytes) break
    kept += character
  }
  return kept
}

/** The parts of a marked name: the name it stands for, unless it was shortened, and the id or its first digits. */
export function readMarked(shown: string): { name: string; id: string; shortened: boolean } | undefined {
  const parts = MARKED.exec(shown)
  if (parts === null) return undefined
  const [, stem = '', id = '', ending = ''] = parts
  return { name: stem + ending, id, shortened: id.length > SHORT_ID }
}
