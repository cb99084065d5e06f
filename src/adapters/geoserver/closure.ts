/**
 * Which of a set may be applied so that the directory refers to nothing that is missing, and what the rest waits for. The
 * greatest such part: everything is taken for applied, and what then breaks a reference is taken back, until nothing does.
 * Pure. Rules (tests cite the numbers):
 * 1. What refers to something that is neither in the directory nor in the set waits for it.
 * 2. What is referred to by something that stays as it is does not go, nor get another id.
 * 3. A reference that is broken in the directory already holds up nothing.
 * 4. What is missing and is coming (in the catalog, its bytes perhaps not here) is waited for without an end.
 * 5. What is missing and nowhere was broken by its author: the operator's rule says for how long it waits.
 * 6. What shares a place with something that waits, waits: the one is not made where the other still is.
 */
import type { ApplyItem, Waits } from '../contract.js'
import { isOwner, type Inventory } from './inventory.js'
import { isBreaking, keyOf, needsOf, wordsOf, type Need } from './needs.js'
import type { FileFacts } from './objects.js'

/** One item of a set: the files that come with it, and the paths whose present file goes. */
export interface Candidate {
  readonly item: ApplyItem
  readonly brings: readonly FileFacts[]
  readonly clears: readonly string[]
}

export interface ClosureDeps {
  readonly inventory: Inventory
  /** The path of what will satisfy a need and is not in the set; undefined: nothing will. */
  coming(need: Need): string | undefined
  /** Whether a change of this path is known that is not in the set. */
  changes(path: string): boolean
  /** Further sets follow: nothing is broken before they have come. */
  readonly more: boolean
  /** Rule 5: how long the file at a path waits for what is nowhere, ms; undefined: until it is mended. */
  waitMs(path: string, need: Need): number | undefined
}

interface Lack extends Waits {
  readonly for: readonly [string]
}

/** Words kept of one item: whoever reads them wants to know what to look for, not how much of it there is. */
const MAX_WORDS = 10

export class Closure {
  readonly #deps: ClosureDeps
  readonly #active: Set<Candidate>
  readonly #held = new Map<Candidate, Lack[]>()
  /** Candidates by the paths they touch, and by the ids they bring. */
  readonly #touching = new Map<string, Candidate[]>()
  readonly #bringing = new Map<string, Candidate[]>()

  constructor(candidates: readonly Candidate[], deps: ClosureDeps) {
    this.#deps = deps
    this.#active = new Set(candidates)
    for (const candidate of candidates) {
      for (const path of pathsOf(candidate)) push(this.#touching, path, candidate)
      for (const facts of candidate.brings) if (idOf(facts) !== undefined) push(this.#bringing, idOf(facts)!, candidate)
    }
    this.#settle()
  }

  /** What has to wait, and for what. */
  get waiting(): ReadonlyMap<ApplyItem, Waits> {
    return new Map([...this.#held].map(([{ item }, lacks]) => [item, waitsOf(lacks)]))
  }

  /** These could not be applied: all that has to wait by now. */
  without(failed: ReadonlySet<ApplyItem>): ReadonlyMap<ApplyItem, Waits> {
    for (const candidate of [...this.#active]) if (failed.has(candidate.item)) this.#active.delete(candidate)
    this.#settle()
    return this.waiting
  }

  #settle(): void {
    for (let before = -1; before !== this.#active.size;) {
      before = this.#active.size
      for (const candidate of [...this.#active]) {
        const lacks = this.#active.has(candidate) ? this.#lacksOf(candidate) : []
        if (lacks.length > 0) this.#hold(candidate, lacks)
      }
    }
  }

  #hold(candidate: Candidate, lacks: Lack[]): void {
    this.#active.delete(candidate)
    this.#held.set(candidate, lacks)
    for (const other of this.#sharingPlace(candidate)) if (this.#active.has(other)) this.#hold(other, lacks)
  }

  #lacksOf(candidate: Candidate): Lack[] {
    return [
      ...candidate.brings.flatMap((facts) =>
        // what another of the set puts there in its stead is that one's
        this.#at(facts.path) === facts ? needsOf(facts).flatMap((need) => this.#lack(facts.path, need)) : []
      ),
      ...candidate.clears.flatMap((path) => this.#stillUsed(path))
    ]
  }

  /** Rules 1, 3, 4 and 5. */
  #lack(path: string, need: Need): Lack[] {
    if (this.#isMet(need) || this.#wasBroken(path, need)) return []
    const from = this.#comingFrom(need)
    if (from !== undefined || this.#deps.more) return [{ for: [wordsFrom(need, from)], state: 'coming' }]
    return this.#broken(path, need, wordsOf(need))
  }

  #broken(path: string, need: Need, words: string): Lack[] {
    const againMs = isBreaking(need) ? this.#deps.waitMs(path, need) : 0
    if (againMs === 0) return []
    return [{ for: [words], state: 'broken', ...(againMs !== undefined && { againMs }) }]
  }

  /** Rule 2: who refers to what goes from a path, and stays as it is. */
  #stillUsed(path: string): Lack[] {
    const { inventory } = this.#deps
    const id = idOf(inventory.files.get(path))
    const users: Array<readonly [user: string, need: Need]> = []
    // asked first: many may refer to it
    if (id !== undefined && !this.#isMet({ by: 'id', role: 'resource', id }))
      for (const user of inventory.referrers(id)) users.push(...this.#needing(user, `id ${id}`))
    if (this.#at(path) === undefined)
      for (const user of inventory.usersOf(path)) users.push(...this.#needing(user, `path ${path}`))
    return users.flatMap(([user, need]) => this.#lackOfUser(user, need))
  }

  #needing(user: string, key: string): Array<readonly [string, Need]> {
    const need = needsOf(this.#deps.inventory.files.get(user)!).find((each) => keyOf(each) === key)
    return need === undefined ? [] : [[user, need]]
  }

  #lackOfUser(user: string, need: Need): Lack[] {
    const { inventory, more, changes } = this.#deps
    const stays = this.#at(user) === inventory.files.get(user)
    if (!stays || need.role === 'tile-layer') return []
    const words = `a change of ${user}`
    if (more || changes(user) || this.#touching.has(user)) return [{ for: [words], state: 'coming' }]
    const from = this.#comingFrom(need)
    if (from !== undefined) return [{ for: [wordsFrom(need, from)], state: 'coming' }]
    return this.#broken(user, need, words)
  }

  /** Where it will come from: something of the set that waits itself, or what is not in it. */
  #comingFrom(need: Need): string | undefined {
    const waits = need.by === 'id' ? this.#bringing.get(need.id) : this.#touching.get(need.path)
    for (const { item, brings } of waits ?? []) {
      const found = brings.find((facts) => (need.by === 'id' ? idOf(facts) === need.id : facts.path === need.path))
      if (found !== undefined && item.do !== 'remove') return found.path
    }
    return this.#deps.coming(need)
  }

  #isMet(need: Need): boolean {
    if (need.by === 'path') return this.#at(need.path) !== undefined
    const { inventory } = this.#deps
    const holds = (path: string): boolean => idOf(this.#at(path)) === need.id
    const brought = this.#bringing.get(need.id) ?? []
    return inventory.owners(need.id).some(holds) || brought.some(({ brings }) => brings.some(({ path }) => holds(path)))
  }

  /** Rule 3. */
  #wasBroken(path: string, need: Need): boolean {
    const { inventory } = this.#deps
    const before = inventory.files.get(path)
    if (before === undefined || !needsOf(before).some((each) => keyOf(each) === keyOf(need))) return false
    return need.by === 'id' ? inventory.owners(need.id).length === 0 : !inventory.files.has(need.path)
  }

  /** What will be at a path. */
  #at(path: string): FileFacts | undefined {
    const touching = (this.#touching.get(path) ?? []).filter((each) => this.#active.has(each))
    for (const { brings } of touching) {
      const found = brings.find((facts) => facts.path === path)
      if (found !== undefined) return found
    }
    return touching.some(({ clears }) => clears.includes(path)) ? undefined : this.#deps.inventory.files.get(path)
  }

  /** Rule 6. */
  #sharingPlace(candidate: Candidate): Candidate[] {
    const found = new Set<Candidate>()
    const keeps = candidate.clears.filter((path) => !candidate.brings.some((facts) => facts.path === path))
    for (const path of pathsOf(candidate)) {
      for (const other of this.#touching.get(path) ?? []) found.add(other)
      for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1))
        for (const other of this.#touching.get(path.slice(0, cut)) ?? [])
          if (other.item.do !== 'mkdir') found.add(other)
    }
    for (const path of keeps)
      for (const other of this.#active) if (other.item.path.startsWith(`${path}/`)) found.add(other)
    for (const facts of candidate.brings)
      if (idOf(facts) !== undefined)
        for (const path of this.#deps.inventory.owners(idOf(facts)!))
          for (const other of this.#touching.get(path) ?? []) if (other.item.do === 'remove') found.add(other)
    return [...found]
  }
}

/** The id that others refer to it by. */
function idOf(facts: FileFacts | undefined): string | undefined {
  return facts?.object !== undefined && isOwner(facts.object) ? facts.object.id : undefined
}

function pathsOf({ item, brings, clears }: Candidate): Set<string> {
  return new Set([item.path, ...clears, ...brings.map(({ path }) => path)])
}

function wordsFrom(need: Need, from: string | undefined): string {
  const words = wordsOf(need)
  return from === undefined || (need.by === 'path' && need.path === from) ? words : `${words} of ${from}`
}

/** Together: as long as anything is coming nothing is passed on, and then after the longest of their times. */
function waitsOf(lacks: readonly Lack[]): Waits {
  const words = [...new Set(lacks.flatMap((lack) => lack.for))].slice(0, MAX_WORDS)
  if (lacks.some(({ state }) => state === 'coming')) return { for: words, state: 'coming' }
  const times = lacks.flatMap(({ againMs }) => againMs ?? [])
  return { for: words, state: 'broken', ...(times.length === lacks.length && { againMs: Math.max(...times) }) }
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
