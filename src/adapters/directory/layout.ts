/** Which paths of the target a set touches: what can be settled and staged before the first of its changes. */
import type { ApplyItem } from '../contract.js'
import { splitPath } from './root.js'

export class Layout {
  /** How many items make a directory at a path, and how many do anything else there. */
  readonly #touched = new Map<string, { makes: number; others: number }>()

  constructor(items: readonly ApplyItem[]) {
    for (const item of items) {
      this.#at(item.path)[item.do === 'mkdir' ? 'makes' : 'others'] += 1
      if (item.do === 'move') this.#at(item.from).others += 1
    }
  }

  /** Whether a path, and everything above it, stays what it is until its one item is performed. */
  isAlone(path: string): boolean {
    const { makes, others } = this.#touched.get(path) ?? { makes: 0, others: 0 }
    return makes + others <= 1 && this.isFirm(splitPath(path)[0])
  }

  /** Whether nothing but the making of a directory happens at a path, and nothing at all above it. */
  isOnlyMade(path: string): boolean {
    return (this.#touched.get(path)?.others ?? 0) === 0 && this.isFirm(splitPath(path)[0])
  }

  /** Whether no item touches the directory or one above it. */
  isFirm(path: string): boolean {
    for (let at = path; at !== ''; at = splitPath(at)[0]) if (this.#touched.has(at)) return false
    return true
  }

  /** What was to be made at this path is there already. */
  standsFirm(path: string): void {
    this.#touched.delete(path)
  }

  #at(path: string): { makes: number; others: number } {
    const known = this.#touched.get(path)
    if (known !== undefined) return known
    const fresh = { makes: 0, others: 0 }
    this.#touched.set(path, fresh)
    return fresh
  }
}
