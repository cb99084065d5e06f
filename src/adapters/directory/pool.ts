/** Runs `work` over all items, at most `limit` at a time, results in the order of the items. The first error ends it. */
export async function mapLimit<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  let failed = false
  const worker = async () => {
    while (next < items.length && !failed) {
      const at = next++
      try {
        results[at] = await work(items[at]!)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker))
  // every worker has ended by now, so nothing goes on behind the caller's back
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return results
}
