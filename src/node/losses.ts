/** What is damaged here and could not be had from anybody: kept in the home until it is healed or acknowledged. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { LossView } from '../control/target.js'
import { readJsonOr, writePrivate } from './home.js'

const LOSSES_FILE = 'losses.json'
/** Healed places remembered; a forgotten one shows as damage when the index is made again. */
const MAX_HEALED = 100_000
/** Losses kept; more only repeat that the disk is gone. */
const MAX_LOSSES = 10_000

interface LossesFile {
  readonly version: 1
  readonly open: readonly LossView[]
  readonly acknowledged: readonly LossView[]
  /** Damaged places of the log, as `segment/offset`, whose records were stored anew elsewhere in it. */
  readonly healed: readonly string[]
}

const text = z.string()
const LOSS_SHAPE = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('record'), log: text, author: text, seq: z.number(), paths: z.array(text) }),
  z.object({ kind: z.literal('blob'), hash: text, size: z.number(), paths: z.array(text) }),
  z.object({ kind: z.literal('range'), segment: z.number(), offset: z.number(), length: z.number() })
])
const LOSSES_SHAPE = z.object({
  version: z.literal(1),
  open: z.array(LOSS_SHAPE),
  acknowledged: z.array(LOSS_SHAPE),
  healed: z.array(text)
})

export class Losses {
  readonly #file: string
  #open = new Map<string, LossView>()
  #acknowledged = new Map<string, LossView>()
  #healed = new Set<string>()

  constructor(home: string) {
    this.#file = join(home, LOSSES_FILE)
  }

  async load(): Promise<void> {
    // a list that is damaged itself is begun anew: what is lost is found again by the next scrub
    const file = await readJsonOr(this.#file, LOSSES_SHAPE, undefined)
    this.#open = new Map(file?.open.map((loss) => [lossKey(loss), loss]))
    this.#acknowledged = new Map(file?.acknowledged.map((loss) => [lossKey(loss), loss]))
    this.#healed = new Set(file?.healed)
  }

  /** Lost, and nobody has said that they know. */
  get open(): LossView[] {
    return [...this.#open.values()]
  }

  isKnown(loss: LossView): boolean {
    return this.#open.has(lossKey(loss)) || this.#acknowledged.has(lossKey(loss))
  }

  async add(losses: readonly LossView[]): Promise<void> {
    const fresh = losses.filter((loss) => !this.isKnown(loss)).slice(0, MAX_LOSSES - this.#open.size)
    if (fresh.length === 0) return
    for (const loss of fresh) this.#open.set(lossKey(loss), loss)
    await this.#save()
  }

  /** Healed: it is here again. */
  async remove(loss: LossView): Promise<void> {
    const key = lossKey(loss)
    const had = this.#open.delete(key)
    if (this.#acknowledged.delete(key) || had) await this.#save()
  }

  /** A place of the log is damaged for good, and what lay there is elsewhere now. */
  async healedAt(at: { segment: number; offset: number }): Promise<void> {
    if (this.#healed.size >= MAX_HEALED) return
    this.#healed.add(`${at.segment}/${at.offset}`)
    await this.#save()
  }

  wasHealed(at: { segment: number; offset: number }): boolean {
    return this.#healed.has(`${at.segment}/${at.offset}`)
  }

  async acknowledge(): Promise<LossView[]> {
    const losses = this.open
    for (const [key, loss] of this.#open) this.#acknowledged.set(key, loss)
    this.#open.clear()
    await this.#save()
    return losses
  }

  async #save(): Promise<void> {
    if (this.#open.size + this.#acknowledged.size + this.#healed.size === 0) return rm(this.#file, { force: true })
    const file: LossesFile = {
      version: 1,
      open: this.open,
      acknowledged: [...this.#acknowledged.values()],
      healed: [...this.#healed]
    }
    await writePrivate(this.#file, `${JSON.stringify(file)}\n`)
  }
}

function lossKey(loss: LossView): string {
  if (loss.kind === 'record') return `record ${loss.log} ${loss.seq}`
  return loss.kind === 'blob' ? `blob ${loss.hash}` : `range ${loss.segment} ${loss.offset} ${loss.length}`
}
