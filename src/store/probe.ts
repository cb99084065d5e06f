import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { diskError, type GrapevineError } from '../errors.js'
import { lockedError } from './level-errors.js'
import { markClosed, storeState } from './open-state.js'
import { PROBE_EXIT } from './probe-exit.js'

/**
 * Signals by which a process ends over what it read. Any other (SIGKILL, SIGTERM) comes from outside and says nothing
 * about the index.
 */
const FAULT_SIGNALS = new Set<NodeJS.Signals>(['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP'])

/**
 * Opens the index at `path` in a process of its own and reads every row of it, checksums included. A damaged block can
 * make LevelDB abort the whole process; here that costs a child and not the daemon. Throws `home-locked` when another
 * process has it open, `store-failed` when no answer was to be had.
 */
export async function probeStore(
  path: string,
  options: { signal?: AbortSignal } = {}
): Promise<'ok' | 'damaged' | 'missing'> {
  const before = await storeState(path).catch((error: unknown) => Promise.reject(probeFailed(path, error)))
  if (before === 'missing' || before === 'damaged') return before
  const verdict = await runWorker(path, options.signal)
  // Opening rewrites the manifest, so a seal made before does not fit any more.
  if (verdict === 'ok' && before === 'clean') await markClosed(path)
  return verdict
}

function runWorker(path: string, signal: AbortSignal | undefined): Promise<'ok' | 'damaged'> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, workerArguments(path), { stdio: 'ignore', ...(signal && { signal }) })
    child.once('error', (error) => reject(probeFailed(path, error)))
    child.once('exit', (code, killer) => {
      if (code === PROBE_EXIT.ok) resolve('ok')
      else if (code === PROBE_EXIT.damaged || (killer !== null && FAULT_SIGNALS.has(killer))) resolve('damaged')
      else if (code === PROBE_EXIT.locked) reject(lockedError({ path }))
      else reject(probeFailed(path, new Error(`the probe ended with ${killer ?? `exit code ${code}`}`)))
    })
  })
}

/** From sources the worker is TypeScript and needs the loader that runs us; compiled it is plain JavaScript. */
function workerArguments(path: string): string[] {
  const here = fileURLToPath(import.meta.url)
  if (here.endsWith('.js')) return [fileURLToPath(new URL('./probe-worker.js', import.meta.url)), path]
  return [...loaderArguments(process.execArgv), fileURLToPath(new URL('./probe-worker.ts', import.meta.url)), path]
}

/** Of our own flags only the loaders: a debugger port or the test runner must not be taken over. */
function loaderArguments(flags: readonly string[]): string[] {
  const kept: string[] = []
  for (let at = 0; at < flags.length; at++) {
    const flag = flags[at]!
    if (/^--(import|require|loader|experimental-loader)=/.test(flag)) kept.push(flag)
    else if (/^(--import|--require|-r|--loader|--experimental-loader)$/.test(flag)) kept.push(flag, flags[++at] ?? '')
  }
  return kept
}

function probeFailed(path: string, error: unknown): GrapevineError {
  return diskError(error, 'store-failed', 'The index could not be looked over', { path })
}
