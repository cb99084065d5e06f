/** Waiting for something to become true; the only way these tests wait. */

/** How long a condition may take on a loaded machine, ms; `GRAPEVINE_PATIENCE_MS` for a slower or quicker end. */
export const PATIENCE_MS = Number(process.env['GRAPEVINE_PATIENCE_MS'] ?? 60_000)
/** Pause between two looks, ms. */
const LOOK_EVERY_MS = 20

/**
 * Looks again and again until `condition` gives something truthy, and resolves with it. A look that throws counts as
 * "not yet". Throws after `ms`, naming what was waited for and how the last look ended.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T> | T,
  ms = PATIENCE_MS,
  everyMs = LOOK_EVERY_MS
): Promise<NonNullable<T>> {
  const began = performance.now()
  for (;;) {
    let last: unknown
    try {
      const found = await condition()
      if (found) return found
      last = found
    } catch (error) {
      last = error
    }
    if (performance.now() - began > ms) {
      const how = last instanceof Error ? last.message : JSON.stringify(last)
      throw new Error(`waited ${ms} ms in vain until ${what}; the last look gave: ${how}`, { cause: last })
    }
    await new Promise((done) => setTimeout(done, everyMs))
  }
}
