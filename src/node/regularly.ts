/** Work that is due again and again: the pause begins when it is done, and what it throws ends nothing. */
import type { Clock } from '../runtime.js'

/** Begins after the first pause; returns the function that ends it. `failed` hears what `work` throws. */
export function regularly(
  clock: Clock,
  ms: number,
  work: () => Promise<void>,
  failed: (error: unknown) => void
): () => void {
  let cancel: (() => void) | undefined
  let ended = false
  const schedule = (): void => {
    if (!ended) cancel = clock.timer(ms, () => void work().catch(failed).finally(schedule))
  }
  schedule()
  return () => {
    ended = true
    cancel?.()
  }
}
