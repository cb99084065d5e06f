/** `updateSequence`: counted up at every change, each time with a new global.xml written from memory. */
import { join } from 'node:path'
import type { Memory } from './memory.js'
import { writeAsGeoServer } from './writing.js'

export function countUp(memory: Memory): void {
  memory.updateSequence++
  const counted = `<updateSequence>${memory.updateSequence}</updateSequence>`
  memory.global = /<updateSequence>\d*<\/updateSequence>/.test(memory.global)
    ? memory.global.replace(/<updateSequence>\d*<\/updateSequence>/, counted)
    : memory.global.replace(/\n?<\/global>/, `\n  ${counted}\n</global>`)
  writeAsGeoServer(join(memory.dir, 'global.xml'), memory.global)
}
