/** Runs many seeds in several processes: a world uses one core, whatever it simulates. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What one process is asked for, and what it says when it is done or a seed failed. */
export interface Batch {
  readonly from: number
  readonly count: number
}
export interface BatchDone {
  readonly done: number
  readonly failed?: { readonly seed: number; readonly error: string }
}

/** Seeds a process is given at once: few enough that all end together. */
const BATCH = 10
/** How often progress is shown, ms. */
const PROGRESS_MS = 10_000

/** A worker over the simulation as it lies in `root`; worlds make garbage fast, so a large nursery saves a tenth of the time. */
export function worker(root: URL): ChildProcess {
  return fork(fileURLToPath(new URL('test/sim/worker.ts', root)), {
    execArgv: ['--import', 'tsx', '--max-semi-space-size=64'],
    cwd: fileURLToPath(root)
  })
}

/** Asks a worker for a batch; rejects when its process ends instead. */
export function ask(child: ChildProcess, batch: Batch): Promise<BatchDone> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`a worker ended with ${code} in ${JSON.stringify(batch)}`))
    child.once('exit', ended)
    child.once('message', (answer: BatchDone) => {
      child.off('exit', ended)
      resolve(answer)
    })
    child.send(batch)
  })
}

export async function runMany(options: {
  from: number
  count: number
  jobs: number
  keepGoing: boolean
}): Promise<void> {
  const { from, count, jobs } = options
  const began = performance.now()
  const end = from + count
  const failed: number[] = []
  let next = from
  let done = 0
  let shown = began
  const rate = (): string => `${((done / (performance.now() - began)) * 1_000).toFixed(1)} seeds/s`
  const work = async (): Promise<void> => {
    const child = worker(new URL('../', import.meta.url))
    while (next < end && (options.keepGoing || failed.length === 0)) {
      const batch = { from: next, count: Math.min(BATCH, end - next) }
      next += batch.count
      for (let at = batch.from; at < batch.from + batch.count;) {
        const answer = await ask(child, { from: at, count: batch.from + batch.count - at })
        done += answer.done
        at += answer.done
        if (answer.failed === undefined) continue
        failed.push(answer.failed.seed)
        console.error(answer.failed.error)
        if (!options.keepGoing) break
      }
      if (performance.now() - shown < PROGRESS_MS) continue
      shown = performance.now()
      console.log(`${done} of ${count} seeds, ${failed.length} failed, ${rate()}`)
    }
    child.disconnect()
  }
  await Promise.all(Array.from({ length: Math.min(jobs, Math.ceil(count / BATCH)) }, work))
  if (failed.length > 0) process.exitCode = 1
  const outcome =
    failed.length === 0 ? 'all hold' : `${failed.length} failed: ${failed.toSorted((a, b) => a - b).join(', ')}`
  console.log(`${done} seeds from ${from} on, ${outcome}, ${rate()} in ${jobs} processes`)
}
