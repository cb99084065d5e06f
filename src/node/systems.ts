/**
 * What runs beside this node and its peers: GeoServers whose versions differ, and plugins that one of them lacks. Peers tell
 * it of themselves; nothing is ever decided by it. Files are kept in step all the same, so it is said and nothing else.
 */
import { GrapevineError } from '../errors.js'
import type { Clock, NodeId } from '../runtime.js'
import { MAX_LACKS, MAX_SYSTEM_BYTES, type Beside } from '../wire/index.js'

/** How often it is looked at what runs beside this node, ms. */
export const LOOK_BESIDE_MS = 5_000

export interface SystemsDeps {
  readonly clock: Clock
  /** Every peer is to be told of what runs beside this node; undefined: nothing, or it is not known. */
  tell(beside: Beside | undefined): void
  nameOf(node: NodeId): string | undefined
  changed(problem: SystemProblem, open: boolean): void
}

export interface SystemProblem {
  readonly error: GrapevineError
  /** By our own clock, ms. */
  readonly since: number
}

/** What the adapter knows of the system it writes for. */
export interface SystemFacts {
  /** Absent: it is not known yet, or the system does not say. */
  readonly version?: string
  readonly lacks: ReadonlyArray<{ readonly plugin: string }>
}

/** The one system we know to ask. */
const NAME = 'GeoServer'
/** This node among those that are compared. */
const OWN = ''

export class Systems {
  readonly #deps: SystemsDeps
  /** This node's own, and what connected peers said. */
  readonly #beside = new Map<NodeId, Beside>()
  #facts: () => SystemFacts | undefined = () => undefined
  #open = new Map<string, SystemProblem>()
  #cancel: (() => void) | undefined

  constructor(deps: SystemsDeps) {
    this.#deps = deps
  }

  /** From now on `facts` says what runs beside this node. */
  watch(facts: () => SystemFacts | undefined): void {
    this.#facts = facts
  }

  start(): void {
    this.#cancel ??= this.#deps.clock.timer(LOOK_BESIDE_MS, () => {
      this.#cancel = undefined
      this.#look()
      this.start()
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  heard(node: NodeId, beside: Beside | undefined): void {
    if (same(this.#beside.get(node), beside)) return
    if (beside === undefined) this.#beside.delete(node)
    else this.#beside.set(node, beside)
    this.#judge()
  }

  gone(node: NodeId): void {
    this.heard(node, undefined)
  }

  /** What a connected peer said last. */
  of(node: NodeId): Beside | undefined {
    return this.#beside.get(node)
  }

  get problems(): SystemProblem[] {
    return [...this.#open.values()]
  }

  #look(): void {
    const beside = besideOf(this.#facts())
    if (same(this.#beside.get(OWN), beside)) return
    this.heard(OWN, beside)
    this.#deps.tell(beside)
  }

  #judge(): void {
    const found = new Map([...this.#unequal(), ...this.#lacking()])
    const before = this.#open
    const now = this.#deps.clock.now()
    this.#open = new Map([...found].map(([key, error]) => [key, { error, since: before.get(key)?.since ?? now }]))
    for (const [key, problem] of before) if (!found.has(key)) this.#deps.changed(problem, false)
    for (const [key, problem] of this.#open) if (!before.has(key)) this.#deps.changed(problem, true)
  }

  /** Whoever differs from what most have; of two as common ones the newer is the one to have. */
  #unequal(): Array<[string, GrapevineError]> {
    const counts = new Map<string, number>()
    for (const { system } of this.#beside.values()) counts.set(system, (counts.get(system) ?? 0) + 1)
    const [usual] = [...counts].toSorted(([a, m], [b, n]) => n - m || b.localeCompare(a, 'en', { numeric: true }))
    if (usual === undefined) return []
    const [system, count] = usual
    return [...this.#beside]
      .filter(([, beside]) => beside.system !== system)
      .map(([node, beside]) => {
        const others = `${count} of ${this.#beside.size} nodes beside ${system}`
        const message = `${this.#called(node)} runs beside ${beside.system}, ${others}`
        return [`version ${node}`, unequal(message, factsOf(node))]
      })
  }

  #lacking(): Array<[string, GrapevineError]> {
    return [...this.#beside]
      .filter(([, { lacks }]) => lacks.length > 0)
      .map(([node, { system, lacks }]) => {
        const message = `the ${system} of ${this.#called(node)} lacks plugins that something in the catalog needs: ${lacks.join(', ')}`
        return [`plugin ${node}`, lacking(message, { ...factsOf(node), lacks })]
      })
  }

  #called(node: NodeId): string {
    return node === OWN ? 'this node' : (this.#deps.nameOf(node) ?? node)
  }
}

function unequal(message: string, facts: Record<string, unknown>): GrapevineError {
  return new GrapevineError('versions-unequal', message, {
    next: 'give all of them one version: an older one drops what it does not know from every object that is saved there',
    facts
  })
}

function lacking(message: string, facts: Record<string, unknown>): GrapevineError {
  return new GrapevineError('plugin-missing', message, {
    next: 'install them there and restart that GeoServer; until then it takes what needs them and draws none of it',
    facts
  })
}

const factsOf = (node: NodeId): Record<string, unknown> => (node === OWN ? {} : { node })

/** As it is told to peers: names that are too long for that are left out. */
function besideOf(facts: SystemFacts | undefined): Beside | undefined {
  if (facts?.version === undefined) return undefined
  const fits = (text: string): boolean => Buffer.byteLength(text) <= MAX_SYSTEM_BYTES
  const system = `${NAME} ${facts.version}`
  if (!fits(system)) return undefined
  return {
    system,
    lacks: facts.lacks
      .map(({ plugin }) => plugin)
      .filter(fits)
      .slice(0, MAX_LACKS)
  }
}

function same(a: Beside | undefined, b: Beside | undefined): boolean {
  return a?.system === b?.system && (a?.lacks ?? []).join('\n') === (b?.lacks ?? []).join('\n')
}
