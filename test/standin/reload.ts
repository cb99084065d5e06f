/** `/rest/reload`: everything is read anew while map requests fail. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { countUp } from './counter.js'
import { load, type Memory } from './memory.js'

/** Rewrites of global.xml during one reload, as measured. */
export const REWRITES = 6

/** Resolves when it is over; `outageMs` is how long the reading takes. */
export async function reload(memory: Memory, outageMs: number): Promise<void> {
  memory.objects = new Map()
  rmSync(join(memory.dir, 'legendsamples'), { recursive: true, force: true })
  await new Promise((done) => setTimeout(done, outageMs))
  load(memory)
  for (let at = 0; at < REWRITES; at++) countUp(memory)
}
