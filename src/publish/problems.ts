/** What keeps something from being shared, by path: opened once, closed when it is over. */
import { diskError, GrapevineError, reasonOf } from '../errors.js'

export interface Problem {
  readonly path: string
  readonly error: GrapevineError
  readonly since: number
}

/** Problems kept at once; more of the same kind would only hide the first. */
const MAX_PROBLEMS = 1_000

export class Problems {
  readonly #open = new Map<string, Problem>()
  readonly #changed: (problem: Problem, open: boolean) => void

  constructor(changed: (problem: Problem, open: boolean) => void) {
    this.#changed = changed
  }

  open(path: string, error: GrapevineError, now: number): void {
    const known = this.#open.get(path)
    if (known?.error.code === error.code || (known === undefined && this.#open.size >= MAX_PROBLEMS)) return
    const problem = { path, error, since: now }
    this.#open.set(path, problem)
    this.#changed(problem, true)
  }

  close(path: string): void {
    const problem = this.#open.get(path)
    if (problem === undefined) return
    this.#open.delete(path)
    this.#changed(problem, false)
  }

  /** Closes those within `paths` (all when absent) that `still` does not name. */
  closeOthers(paths: readonly string[] | undefined, still: ReadonlySet<string>): void {
    for (const path of [...this.#open.keys()]) {
      const within = paths === undefined || paths.some((scope) => path === scope || path.startsWith(`${scope}/`))
      if (within && !still.has(path)) this.close(path)
    }
  }

  list(): Problem[] {
    return [...this.#open.values()]
  }
}

/** What the system refused is no fault of ours, and its next step is another. */
export function typedError(error: unknown): GrapevineError {
  const what = 'keeping the target in step failed'
  if (error instanceof GrapevineError || (error instanceof Error && 'syscall' in error))
    return diskError(error, 'target-write-failed', what)
  return new GrapevineError('internal', `${what}: ${reasonOf(error)}`, { next: 'see the log', cause: error })
}
