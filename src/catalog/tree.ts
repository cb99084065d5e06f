/**
 * The tree rows: which entries are listed under (parent, name), and how many live children each has. Kept in step with
 * the entries a stage changed; a pure function of all entries, whatever the order in which they came.
 *
 * A move that makes a cycle is set aside: of each cycle the entry moved last (time, author, id) goes back to where it
 * came from, and to the root if that makes a cycle again.
 */
import { nameKey, ROOT_ID } from './ids.js'
import { NameRow } from './rows.js'
import type { Cell, Placement, Stage } from './stage.js'
import { compareStamps, effectivePlace } from './view.js'

/** Ids of what is set aside, in a row of the same form. */
const BROKEN_KEY = '~broken'

export class Tree {
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** Brings the rows in step with cells that were written, in steps between which others may run. */
  *settle(written: readonly Cell[]): Generator<void> {
    const holders = new Set<string | undefined>()
    for (const cell of written) {
      holders.add(cell.meaning.place?.parent)
      yield
    }
    const raised = this.#breakCycles(written.filter((cell) => this.#moved(cell, holders)))
    for (const cell of [...written, ...raised]) {
      this.#place(cell)
      yield
    }
  }

  #moved(cell: Cell, holders: ReadonlySet<string | undefined>): boolean {
    const parent = cell.meaning.place?.parent
    const moved = parent !== undefined && parent !== cell.checkedParent
    cell.checkedParent = parent
    // what is quite new, and is not named as parent in this same record, holds nothing: it cannot be below itself
    return moved && (cell.before !== undefined || cell.state.kids > 0 || holders.has(cell.id))
  }

  #place(cell: Cell): void {
    const now = cell.placement
    const before = cell.placed
    if (before?.parent === now?.parent && before?.name === now?.name) return
    cell.placed = now
    if (before !== undefined) this.#unlist(cell.id, before)
    if (now !== undefined) this.#list(cell.id, now)
  }

  #list(id: string, { parent, name }: Placement): void {
    const key = nameKey(parent, name)
    const ids = this.#stage.claimants(key)
    this.#stage.put(key, new NameRow([...ids, id].toSorted()))
    this.#stage.delta.listed += 1
    if (ids.length > 0) this.#share(key, [...ids, id])
    this.#countKid(parent, 1)
  }

  #unlist(id: string, { parent, name }: Placement): void {
    const key = nameKey(parent, name)
    const ids = this.#stage.claimants(key).filter((other) => other !== id)
    if (ids.length === 0) this.#stage.delete(key)
    else this.#stage.put(key, new NameRow(ids))
    this.#stage.delta.listed -= 1
    this.#stage.delta.parted.add(id)
    if (ids.length > 0) this.#share(key, ids)
    this.#countKid(parent, -1)
  }

  /** Who claims a name that others claim, or claimed, has changed. */
  #share(key: string, ids: readonly string[]): void {
    this.#stage.delta.names.add(key)
    for (const id of ids) this.#stage.delta.parted.add(id)
  }

  /** A container lives while it has live children, so its own listing may follow. */
  #countKid(parent: string, change: number): void {
    if (parent === ROOT_ID) return
    const cell = this.#stage.cell(parent)
    cell.state.kids += change
    this.#place(cell)
  }

  /** Looks for cycles through what moved and what was set aside before; returns the cells whose level changed. */
  #breakCycles(moved: readonly Cell[]): Cell[] {
    const broken = this.#stage.claimants(BROKEN_KEY)
    if (moved.length === 0 && broken.length === 0) return []
    const candidates = new Map([...moved, ...broken.map((id) => this.#stage.cell(id))].map((cell) => [cell.id, cell]))
    const levels = new Map([...candidates.values()].map((cell) => [cell.id, cell.state.level]))
    for (const cell of candidates.values()) cell.state.level = 0
    for (let from = [...candidates.values()]; from.length > 0;) {
      from = this.#findCycles(from).map((cycle) => this.#latest(cycle))
      for (const cell of from) {
        if (!levels.has(cell.id)) levels.set(cell.id, cell.state.level)
        cell.state.level += 1
      }
    }
    const touched = [...levels.keys()].map((id) => this.#stage.cell(id))
    const nowBroken = touched.filter((cell) => cell.state.level > 0).map((cell) => cell.id)
    if (nowBroken.length > 0) this.#stage.put(BROKEN_KEY, new NameRow(nowBroken.toSorted()))
    else if (broken.length > 0) this.#stage.delete(BROKEN_KEY)
    return touched.filter((cell) => cell.state.level !== levels.get(cell.id))
  }

  #findCycles(starts: readonly Cell[]): Cell[][] {
    const cycles: Cell[][] = []
    const done = new Set<string>()
    for (const start of starts) {
      const path: Cell[] = []
      const onPath = new Set<string>()
      let at: Cell | undefined = start
      while (at !== undefined && !done.has(at.id) && !onPath.has(at.id)) {
        path.push(at)
        onPath.add(at.id)
        at = this.#parentOf(at)
      }
      if (at !== undefined && onPath.has(at.id)) cycles.push(path.slice(path.indexOf(at)))
      for (const cell of path) done.add(cell.id)
    }
    return cycles
  }

  #parentOf(cell: Cell): Cell | undefined {
    const { parent } = effectivePlace(cell.id, cell.meaning, cell.state.level)
    return parent === ROOT_ID ? undefined : this.#stage.cell(parent)
  }

  #latest(cycle: readonly Cell[]): Cell {
    return cycle.reduce((best, cell) => {
      const a = cell.meaning.placeStamp
      const b = best.meaning.placeStamp
      if (a === undefined || b === undefined) return cell.id > best.id ? cell : best
      return (compareStamps(a, b, this.#stage.authorOf) || (cell.id > best.id ? 1 : -1)) > 0 ? cell : best
    })
  }
}
