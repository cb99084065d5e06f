/**
 * Which keys are one member because one goes on for the other: of the keys a member says it goes on as, the first alone
 * counts, and who removes a key removes what it went on as.
 */
import { hexOf } from '../wire/index.js'
import type { Admission } from './admission.js'
import type { Place, Revocation, Revocations } from './revocations.js'

const NONE: readonly Revocation[] = []

export class Heirs {
  readonly #admissions: ReadonlyMap<string, readonly Admission[]>
  readonly #revocations: Revocations
  /** Key in hex -> admissions that count of what went on for it. */
  readonly #next = new Map<string, readonly Admission[]>()
  /** Removals of the keys before, as long as there are no more of them than `#size`. */
  #through = new WeakMap<Admission, readonly Revocation[]>()
  #size = 0

  constructor(admissions: ReadonlyMap<string, readonly Admission[]>, revocations: Revocations) {
    this.#admissions = admissions
    this.#revocations = revocations
  }

  note(admission: Admission): void {
    const { heirOf, voidBy } = admission
    if (heirOf === undefined || voidBy !== undefined) return
    this.#next.set(heirOf, [...(this.#next.get(heirOf) ?? []), admission])
  }

  /**
   * The admission of another key that already goes on for the member of this one: a member goes on once, and once more
   * when it was admitted again after a removal.
   */
  rivalOf(resting: Admission, next: Uint8Array): Admission | undefined {
    const name = hexOf(next)
    return this.#next
      .get(hexOf(resting.key))
      ?.find((each) => hexOf(each.key) !== name && isSameStay(this.#before(each), resting))
  }

  /** The key this one went on as last, if any. */
  nextOf(key: Uint8Array): Uint8Array | undefined {
    const all = this.#next.get(hexOf(key)) ?? []
    return all.toSorted((a, b) => b.depth - a.depth || (a.log < b.log ? -1 : 1))[0]?.key
  }

  /** All keys this one went on as, and those in turn. */
  allOf(key: Uint8Array): Uint8Array[] {
    const found = new Map([[hexOf(key), key]])
    for (const name of found.keys()) for (const each of this.#next.get(name) ?? []) found.set(hexOf(each.key), each.key)
    found.delete(hexOf(key))
    return [...found.values()]
  }

  /** Removals of the keys an admission goes on for, made by others than who goes on. However many keys there are. */
  removalsThrough(admission: Admission): readonly Revocation[] {
    if (admission.heirOf === undefined || this.#revocations.size === 0) return NONE
    if (this.#size !== this.#revocations.size) {
      this.#through = new WeakMap()
      this.#size = this.#revocations.size
    }
    const way: Admission[] = []
    for (let at: Admission | undefined = admission; at?.heirOf !== undefined; at = this.#before(at)) {
      if (this.#through.has(at)) break
      way.push(at)
      this.#through.set(at, NONE)
    }
    for (const each of way.toReversed()) {
      const before = this.#before(each)
      const further = before === undefined ? NONE : (this.#through.get(before) ?? NONE)
      const own = this.#revocations.ofName(each.heirOf!).filter(({ whole }) => whole === true)
      this.#through.set(each, own.length === 0 ? further : [...own, ...further])
    }
    return this.#through.get(admission)!
  }

  #before({ heirOf, rests }: Admission): Admission | undefined {
    const all = this.#admissions.get(heirOf!)
    return rests === undefined ? all?.[0] : all?.find((each) => each.log === rests.log && each.seq === rests.seq)
  }
}

/** Admissions between the same removals are one stay in the cluster, whoever made them. */
function isSameStay(a: Admission | undefined, b: Admission): boolean {
  return a !== undefined && a.knew.length === b.knew.length && a.knew.every((each) => b.knew.includes(each))
}

/** Whether what stands at `a` is folded before what stands at `b`. */
export function isFirst(a: Place & { depth: number }, b: Place & { depth: number }): boolean {
  return a.depth !== b.depth ? a.depth < b.depth : a.log !== b.log ? a.log < b.log : a.seq <= b.seq
}
