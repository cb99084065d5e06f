/** W7: files from the disk of one node to the disks of the others. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { now, sleep, type Cluster } from './bench-cluster.js'
import { doc } from './bench-docs.mjs'
import { quantiles, round } from './bench-result.js'
import type { Report, Sizes } from './bench-workloads.js'

/** Between two edits, ms. */
const EDIT_GAP_MS = 200

interface Expected {
  readonly folder: string
  readonly path: string
  readonly content: string
}

const isThere = ({ folder, path, content }: Expected): boolean => {
  try {
    return readFileSync(join(folder, path), 'utf8') === content
  } catch {
    return false
  }
}

/** A directory of many small files written at once, then single edits, each after the last has arrived. */
export async function files(cluster: Cluster, { n, files: count, edits }: Sizes, report: Report): Promise<void> {
  await cluster.start(n + 1)
  const folders = Array.from({ length: n + 1 }, (_, i) => cluster.folder(i))
  const all = Array.from({ length: count }, (_, i) => ({
    path: `styles/ws${i % 20}/s${i}.${i % 2 === 0 ? 'sld' : 'xml'}`,
    content: doc(`style${i}`, i, 300 + ((i * 7_919) % 3_700))
  }))
  const cpuBefore = cluster.usage().cpuS
  cluster.beginMeasure('W7')
  const began = now()
  for (const { path, content } of all) {
    mkdirSync(dirname(join(folders[0]!, path)), { recursive: true })
    writeFileSync(join(folders[0]!, path), content)
  }
  const writeS = (now() - began) / 1_000
  let missing = folders.slice(1).flatMap((folder) => all.map((file) => ({ ...file, folder })))
  for (; missing.length > 0; await sleep(20)) {
    // the last first: reading all of them again and again would be most of what is measured
    while (missing.length > 0 && isThere(missing.at(-1)!)) missing.pop()
    if (missing.length > 0 && missing.slice(-5).some(isThere)) missing = missing.filter((file) => !isThere(file))
  }
  const seconds = (now() - began) / 1_000
  const cpuS = cluster.usage().cpuS - cpuBefore
  const times: number[] = []
  for (let edit = 0; edit < edits; edit++) {
    await sleep(EDIT_GAP_MS)
    const { path } = all[(edit * 37) % all.length]!
    const content = doc(path, 100_000 + edit)
    const temporary = join(cluster.root, 'edit.tmp')
    writeFileSync(temporary, content)
    renameSync(temporary, join(folders[0]!, path))
    const renamed = now()
    for (let open = folders.slice(1); open.length > 0; await sleep(1))
      open = open.filter((folder) => !isThere({ folder, path, content }))
    times.push(now() - renamed)
  }
  cluster.endMeasure('W7')
  const result = {
    seconds: round(seconds, 3),
    writeS: round(writeS, 3),
    cpuS: round(cpuS),
    editMs: quantiles(times)
  }
  report({ workload: 'W7', n, params: { files: count, edits }, result, ok: true, notes: '' })
}
