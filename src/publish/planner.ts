/**
 * From "these entries changed" to an ordered set for the adapter: what the catalog wants at each path against what the
 * target holds. Directories move first and one at a time, because everything below them moves along.
 */
import type { ApplyItem, BodyRef } from '../adapters/contract.js'
import { ROOT_ID, seenKey, type CatalogReader, type Entry } from '../catalog/index.js'
import { expected, type Base, type BaseRow } from './base.js'

/** Where an entry belongs, and the tuples its content stands for. */
export interface Desired {
  readonly id: string
  readonly seen: readonly string[]
}

export interface PlannedItem {
  readonly desired: Desired
  readonly item: ApplyItem
}

export interface Plan {
  /** What to do, in order; together one set. */
  readonly steps: PlannedItem[][]
  readonly waiting: Array<{ id: string; path: string; body: BodyRef }>
  /** Nothing to do for these. */
  readonly settled: string[]
  /** To be planned again after the steps. */
  readonly again: string[]
}

interface Target extends Desired {
  readonly entry: Entry
  readonly path: string
}

/** A directory that is to be at another path. */
interface Move {
  readonly row: BaseRow
  readonly target: Target
}

interface Lists {
  readonly removals: PlannedItem[]
  /** By path: many files lie in one new directory. */
  readonly directories: Map<string, PlannedItem>
  readonly moves: PlannedItem[]
  readonly emptied: PlannedItem[]
  readonly writes: PlannedItem[]
}

export interface PlannerDeps {
  readonly reader: CatalogReader
  readonly base: Base
  ignores(path: string, kind: 'file' | 'dir'): boolean
}

export class Planner {
  readonly #deps: PlannerDeps

  constructor(deps: PlannerDeps) {
    this.#deps = deps
  }

  async plan(ids: readonly string[], has: (body: BodyRef) => boolean): Promise<Plan> {
    const plan: Plan = { steps: [], waiting: [], settled: [], again: [] }
    const all = this.#withNamesakes(ids)
    const targets = new Map<string, Target | undefined>([...all].map((id) => [id, this.#target(id)]))
    const move = this.#directoryMove(targets)
    if (move !== undefined) {
      plan.steps.push(move)
      plan.again.push(...all)
      return plan
    }
    const lists: Lists = { removals: [], directories: new Map(), moves: [], emptied: [], writes: [] }
    const claimed = new Map(
      [...targets.values()].filter((target) => target !== undefined).map((target) => [target.path, target.id])
    )
    for (const [id, target] of targets) this.#planOne(id, target, claimed, targets, lists, plan, has)
    const byDepth = (a: PlannedItem, b: PlannedItem): number => a.item.path.length - b.item.path.length
    const order = [
      lists.removals,
      [...lists.directories.values()].toSorted(byDepth),
      lists.moves,
      lists.emptied.toSorted((a, b) => byDepth(b, a)),
      lists.writes
    ]
    for (const step of order) if (step.length > 0) plan.steps.push(step)
    return plan
  }

  /** Names are shared property: whoever claims the same name, or held the path before, may show elsewhere now. */
  #withNamesakes(ids: readonly string[]): Set<string> {
    const { reader, base } = this.#deps
    const all = new Set(ids)
    for (const id of ids) {
      const entry = reader.entry(id)
      if (entry !== undefined) for (const other of reader.atName(entry.parent, entry.name)) all.add(other.id)
      const path = entry && reader.pathOfEntry(entry)
      const occupant = path === undefined ? undefined : base.byPath(path)
      if (occupant !== undefined) all.add(occupant.id)
      const row = base.byId(id)
      const successor = row === undefined ? undefined : reader.resolve(row.path)
      if (successor !== undefined)
        for (const other of reader.atName(successor.parent, successor.name)) all.add(other.id)
    }
    return all
  }

  #target(id: string): Target | undefined {
    const { reader } = this.#deps
    const entry = reader.entry(id)
    if (entry === undefined || !entry.listed) return undefined
    const path = reader.pathOf(id)
    if (path === undefined || this.#deps.ignores(path, reader.isDirectory(entry) ? 'dir' : 'file')) return undefined
    return { id, entry, path, seen: entry.state.tuples.map(seenKey) }
  }

  /**
   * The next directory to move, the shallowest destination first, so that nothing is moved below a directory that is
   * itself still elsewhere. What is in its way goes first: a file is written anew later, a directory gets a spare name.
   */
  #directoryMove(targets: ReadonlyMap<string, Target | undefined>): PlannedItem[] | undefined {
    const { base } = this.#deps
    const moves = this.#misplaced(targets).toSorted((a, b) => depthOf(a.target.path) - depthOf(b.target.path))
    const next =
      moves.find(({ target }) => base.byPath(target.path) === undefined && !this.#isBelowMisplaced(target, moves)) ??
      moves[0]
    if (next === undefined) return undefined
    const { row, target } = next
    // another entry takes its path over and holds it further below: it cannot go there in one step
    if (target.path.startsWith(`${row.path}/`)) return [toSpareName(row)]
    const occupant = base.byPath(target.path)
    if (occupant === undefined) {
      return [
        ...this.#missingParents(target.path),
        { desired: target, item: { do: 'move', from: row.path, path: target.path, expect: expected(row) } }
      ]
    }
    return [occupant.kind === 'file' ? removal(occupant) : toSpareName(occupant)]
  }

  /** Directories of the set, and those above anything in it, that the target holds at another path. */
  #misplaced(targets: ReadonlyMap<string, Target | undefined>): Move[] {
    const { base, reader } = this.#deps
    const moves: Move[] = []
    const looked = new Set<string>()
    for (const start of targets.keys()) {
      for (
        let id: string | undefined = start;
        id !== undefined && id !== ROOT_ID && !looked.has(id);
        id = reader.entry(id)?.parent
      ) {
        looked.add(id)
        const row = base.byId(id)
        const target = row?.kind === 'dir' && !row.lingering ? this.#target(id) : undefined
        if (row !== undefined && target !== undefined && row.path !== target.path && reader.isDirectory(target.entry))
          moves.push({ row, target })
      }
    }
    return moves
  }

  #isBelowMisplaced({ path }: Target, moves: readonly Move[]): boolean {
    return moves.some(({ target }) => path.startsWith(`${target.path}/`))
  }

  /** What is above `path` and not there yet is made, too. */
  #make(path: string, { directories }: Lists): void {
    for (const item of this.#missingParents(path, directories)) directories.set(item.item.path, item)
  }

  /** Directories above `path` that the target does not have yet, and that are not `planned` either. */
  #missingParents(path: string, planned?: ReadonlyMap<string, unknown>): PlannedItem[] {
    const items: PlannedItem[] = []
    for (let cut = path.indexOf('/'); cut > 0; cut = path.indexOf('/', cut + 1)) {
      const above = path.slice(0, cut)
      if (planned?.has(above) === true) continue
      const entry = this.#deps.base.byPath(above) === undefined ? this.#deps.reader.resolve(above) : undefined
      const target = entry === undefined ? undefined : this.#target(entry.id)
      if (target !== undefined) items.push({ desired: target, item: { do: 'mkdir', path: above, expect: null } })
    }
    return items
  }

  #planOne(
    id: string,
    target: Target | undefined,
    claimed: ReadonlyMap<string, string>,
    targets: ReadonlyMap<string, Target | undefined>,
    lists: Lists,
    plan: Plan,
    has: (body: BodyRef) => boolean
  ): void {
    const row = this.#deps.base.byId(id)
    const claimant = row === undefined ? undefined : targets.get(claimed.get(row.path) ?? id)
    const loses = row !== undefined && claimant !== undefined && claimant.id !== id
    // a file is written over a file and a directory kept for a directory; anything else must make way first
    const evicted = loses && this.#deps.reader.isDirectory(claimant.entry) === (row.kind === 'dir')
    if (target === undefined) {
      // what a rule leaves out now is the target's own, whatever it was before
      const forgotten = row !== undefined && (evicted || this.#deps.ignores(row.path, row.kind))
      if (forgotten) this.#deps.base.delete(row)
      else if (row !== undefined && !row.lingering) this.#planRemoval(row, lists)
      plan.settled.push(id)
      return
    }
    if (this.#deps.reader.isDirectory(target.entry)) this.#planDirectory(row, target, lists, plan)
    else this.#planFile(evicted ? undefined : row, target, lists, plan, has, loses)
  }

  #planRemoval(row: BaseRow, lists: Lists): void {
    if (row.kind === 'dir') lists.emptied.push(removal(row))
    else lists.removals.push(removal(row))
  }

  #planDirectory(row: BaseRow | undefined, target: Target, lists: Lists, plan: Plan): void {
    if (row === undefined || row.lingering) {
      this.#make(target.path, lists)
      lists.directories.set(target.path, {
        desired: target,
        item: { do: 'mkdir', path: target.path, expect: null }
      })
      return
    }
    this.#refresh(row, target)
    plan.settled.push(target.id)
  }

  #planFile(
    row: BaseRow | undefined,
    target: Target,
    lists: Lists,
    plan: Plan,
    has: (body: BodyRef) => boolean,
    makesWay: boolean
  ): void {
    const body = target.entry.meaning.body!
    const { exec } = target.entry.meaning
    const same = row !== undefined && row.kind === 'file' && row.hash === body.hash && row.exec === exec
    if (same && row.path === target.path) {
      this.#refresh(row, target)
      plan.settled.push(target.id)
      return
    }
    if (!has(body)) {
      plan.waiting.push({ id: target.id, path: target.path, body })
      return
    }
    this.#make(target.path, lists)
    const occupant = this.#deps.base.byPath(target.path)
    const free = occupant === undefined || occupant.id === target.id
    // moves come after new directories: what makes way for one of them goes before, and is written anew
    if (same && free && !makesWay) {
      lists.moves.push({
        desired: target,
        item: { do: 'move', from: row.path, path: target.path, expect: expected(row) }
      })
      return
    }
    if (row !== undefined && row.path !== target.path) this.#planRemoval(row, lists)
    // content always comes from the catalog's bodies, never from another place of the target
    const replaced = occupant === undefined || occupant.kind === 'dir' ? null : expected(occupant)
    lists.writes.push({ desired: target, item: { do: 'write', path: target.path, body, exec, expect: replaced } })
  }

  /** The target stands for all that is known now, although its content did not change. */
  #refresh(row: BaseRow, target: Target): void {
    if (row.seen.length === target.seen.length && row.seen.every((key) => target.seen.includes(key))) return
    this.#deps.base.set({ ...row, seen: target.seen })
  }
}

function toSpareName(row: BaseRow): PlannedItem {
  const path = `${row.path}.grapevine-swap-${row.id.slice(0, 8)}`
  return { desired: row, item: { do: 'move', from: row.path, path, expect: expected(row) } }
}

function removal(row: BaseRow): PlannedItem {
  return { desired: { id: row.id, seen: [] }, item: { do: 'remove', path: row.path, expect: expected(row) } }
}

function depthOf(path: string): number {
  return path.split('/').length
}
