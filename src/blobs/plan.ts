import type { Bitmap } from './bitmap.js'
import type { NodeAddress, TreeShape } from './tree.js'

/** Leaves looked at ahead of the first unfinished one, so that the next chunks can be asked for while one is stuck. */
const LEAVES_AHEAD = 2

/** Something to ask a peer for: a node, or chunks that follow one another. `bytes` is how long the whole answer is. */
export type Piece =
  { readonly kind: 'node'; readonly level: number; readonly index: number; readonly bytes: number } | Chunks

export interface Chunks {
  readonly kind: 'chunk'
  readonly index: number
  readonly count: number
  readonly bytes: number
}

/**
 * What of one blob is here, asked for, or still to be asked for. Pure. Rules:
 * 1. A node is asked for only when its parent is here, a chunk only when the node with its hash is here.
 * 2. Nothing is asked for while it is here or in flight.
 * 3. Chunks are asked for in order, so that the file on disk grows without holes; at most two leaves run ahead.
 */
export class Plan {
  readonly #shape: TreeShape
  readonly #chunks: Bitmap
  readonly #hasNode: (node: NodeAddress) => boolean
  readonly #inFlight = new Set<string>()
  /** No chunk before this one is missing. */
  #from = 0

  /** `chunks` is taken over; `hasNode` says which verified nodes are here, now and later. */
  constructor(shape: TreeShape, chunks: Bitmap, hasNode: (node: NodeAddress) => boolean) {
    this.#shape = shape
    this.#chunks = chunks
    this.#hasNode = hasNode
  }

  get complete(): boolean {
    return this.#chunks.full
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  /**
   * The next piece to ask for, of up to so many chunks, not yet marked as asked; undefined when all is here, in flight or
   * must wait.
   */
  next(most = 1): Piece | undefined {
    while (this.#from < this.#chunks.length && this.#chunks.has(this.#from)) this.#from += 1
    if (this.complete) return undefined
    if (this.#shape.height === 0) return this.#chunksIn({ from: 0, to: 1 }, 1)
    const first = this.#shape.leafOf(this.#from).node.index
    const end = Math.min(first + 1 + LEAVES_AHEAD, this.#shape.nodes(0))
    for (let leaf = first; leaf < end; leaf += 1) {
      const piece = this.#under(leaf, most)
      if (piece !== undefined) return piece
    }
    return undefined
  }

  /** Missing -> in flight. */
  asked(piece: Piece): void {
    for (const key of keysOf(piece)) this.#inFlight.add(key)
  }

  /** In flight -> here. `adopted` are chunks that turned out to be here as well. */
  arrived(piece: Piece, adopted: readonly number[]): void {
    for (const key of keysOf(piece)) this.#inFlight.delete(key)
    if (piece.kind === 'chunk') for (const index of indexesOf(piece)) this.#chunks.set(index)
    for (const chunk of adopted) this.#chunks.set(chunk)
  }

  /** In flight -> missing. */
  lost(piece: Piece): void {
    for (const key of keysOf(piece)) this.#inFlight.delete(key)
    if (piece.kind === 'chunk') this.#from = Math.min(this.#from, piece.index)
  }

  #under(leaf: number, most: number): Piece | undefined {
    const missing = this.#highestMissing({ level: 0, index: leaf })
    if (missing === undefined) return this.#chunksIn(this.#shape.chunksOf(leaf), most)
    const piece: Piece = { kind: 'node', ...missing, bytes: this.#shape.nodeSpan(missing).length }
    return keysOf(piece).some((key) => this.#inFlight.has(key)) ? undefined : piece
  }

  /** The node nearest to the root, on the way to this one, that is not here. */
  #highestMissing(node: NodeAddress): NodeAddress | undefined {
    const parent = this.#shape.parentOf(node)
    const above = parent === undefined ? undefined : this.#highestMissing(parent.node)
    return above ?? (this.#hasNode(node) ? undefined : node)
  }

  #chunksIn({ from, to }: { from: number; to: number }, most: number): Chunks | undefined {
    const isOpen = (index: number): boolean => !this.#chunks.has(index) && !this.#inFlight.has(`${index}`)
    let index = Math.max(from, this.#from)
    while (index < to && !isOpen(index)) index += 1
    if (index >= to) return undefined
    let count = 1
    while (count < most && index + count < to && isOpen(index + count)) count += 1
    return { kind: 'chunk', index, count, bytes: this.#shape.chunksSpan(index, count).length }
  }
}

function keysOf(piece: Piece): string[] {
  return piece.kind === 'chunk' ? indexesOf(piece).map(String) : [`${piece.level}/${piece.index}`]
}

function indexesOf({ index, count }: Chunks): number[] {
  return Array.from({ length: count }, (_, at) => index + at)
}
