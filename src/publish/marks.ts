/** What an adapter's journal keeps of an item for us, over a crash. */
import type { Desired } from './planner.js'

export function markOf({ id, seen }: Desired): string {
  return JSON.stringify([id, ...seen])
}

export function desiredOf(mark: string): Desired {
  const [id, ...seen] = JSON.parse(mark) as [string, ...string[]]
  return { id, seen }
}
