/** What a member may sign: records that are well formed outside, and inside whatever comes to its mind. */
import * as encoding from 'lib0/encoding'
import { clientIdOf } from '../../src/catalog/index.js'
import { keyPairOf, sealSecret, signAppointment, signRekey } from '../../src/identity/index.js'
import { removalOf } from '../../src/replica/index.js'
import { MAX_ROUND, MAX_SERIAL } from '../../src/wire/limits.js'
import { SECRET_BOX_BYTES } from '../../src/wire/member-ops.js'
import { encodeOp, logIdOf, ROLES, type Dep, type Op, type SignedRecord } from '../../src/wire/index.js'
import { forge, LAB_TIME, type LabNode } from '../replica/lab.js'
import type { SeededRandom } from '../sim/random.js'
import { harmValue, NUMBERS, TEXTS } from './mutate.js'

const FIELDS = [
  'place',
  'body',
  'exec',
  '!',
  'custom',
  'order',
  'constructor',
  'hasOwnProperty',
  '__proto__',
  '',
  'x'.repeat(64),
  'x'.repeat(65)
]

export class Signer {
  readonly entries: string[]

  constructor(
    readonly random: SeededRandom,
    readonly node: LabNode
  ) {
    this.entries = ['0'.repeat(32), ...Array.from({ length: 255 }, (_, at) => `${at.toString(16)}a`.padStart(32, '0'))]
  }

  /** Mostly what fits, now and then not. */
  #or<T>(good: T, bad: () => T, share = 0.05): T {
    return this.random.chance(share) ? bad() : good
  }

  value(depth = 0): unknown {
    const { random } = this
    const what = random.below(depth > 17 ? 6 : 9)
    if (what === 0) return null
    if (what === 1) return random.chance(0.5)
    if (what === 2) return random.pick(NUMBERS)
    if (what === 3) return random.pick(TEXTS)
    if (what === 4) return random.bytes(random.pick([0, 1, 15, 16, 31, 32, 33]))
    if (what === 5) return random.chance(0.5) ? undefined : 5n
    if (what === 6) return Array.from({ length: random.below(6) }, () => this.value(depth + 1))
    if (what === 7)
      return Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [random.pick(FIELDS), this.value(depth + 1)])
      )
    return depth === 0 ? this.#deep(random.pick([15, 16, 17, 33, 2_000])) : random.pick(TEXTS)
  }

  #deep(levels: number): unknown {
    let value: unknown = 1
    for (let left = levels; left > 0; left--) value = [value]
    return value
  }

  #good(field: string): unknown {
    const { random } = this
    const place = [this.#id(), random.pick(TEXTS.slice(0, 2)), this.#or<string | null>(null, () => random.pick(TEXTS))]
    switch (field) {
      case 'place':
        return random.chance(0.3) ? [...place, this.#id(), 'b'] : place
      case 'body':
        return [random.bytes(32), random.below(1_000)]
      case 'exec':
        return random.chance(0.5)
      case '!':
        return random.chance(0.5) ? {} : { place, custom: this.value() }
      default:
        return this.value()
    }
  }

  #id(): Uint8Array {
    return Buffer.from(this.random.pick(this.entries), 'hex')
  }

  /** Bytes of an update that is near to a good one. */
  update(author: Uint8Array, epoch: string, seq: number, entry: string): Uint8Array {
    const { random, node } = this
    const client = clientIdOf(author, epoch, entry)
    const state = node.replica.reader.entry(entry)?.state
    const clock = this.#or(state?.clients.find((row) => row.client === client)?.clock ?? 0, () => random.below(5))
    const out = encoding.createEncoder()
    const tuples = random.below(4)
    encoding.writeVarUint(
      out,
      this.#or(tuples === 0 ? 0 : 1, () => random.below(3))
    )
    if (tuples > 0) {
      encoding.writeVarUint(
        out,
        this.#or(1, () => random.below(3))
      )
      encoding.writeVarUint(
        out,
        this.#or(client, () => random.pick(NUMBERS.filter((n) => n >= 0 && n <= 2 ** 53)))
      )
      encoding.writeVarUint(out, clock)
      encoding.writeUint8(
        out,
        this.#or(clock === 0 ? 8 : 0x88, () => random.below(256))
      )
      encoding.writeVarUint(out, clock === 0 ? 1 : client)
      if (clock === 0)
        encoding.writeVarString(
          out,
          this.#or('f', () => random.pick(TEXTS))
        )
      else encoding.writeVarUint(out, clock - 1)
      encoding.writeVarUint(
        out,
        this.#or(tuples, () => random.pick([0, 257, 2 ** 31]))
      )
      for (let left = tuples; left > 0; left--) {
        const field = random.pick(FIELDS)
        const tuple = [
          field,
          this.#or(this.#good(field), () => this.value(), 0.3),
          this.#or(LAB_TIME * 1_000, () => random.pick(NUMBERS) as number),
          seq
        ]
        encoding.writeAny(out, this.#or<unknown>(tuple, () => this.value()) as encoding.AnyEncodable)
      }
    }
    this.#deletes(out, state?.tuples ?? [])
    const bytes = encoding.toUint8Array(out)
    if (random.chance(0.1) && bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
    return bytes.length === 0 || random.chance(0.03) ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes
  }

  #deletes(out: encoding.Encoder, live: ReadonlyArray<{ client: number; clock: number }>): void {
    const { random } = this
    const some = live.filter(() => random.chance(0.4)).toSorted((a, b) => b.client - a.client || a.clock - b.clock)
    const clients = [...new Set(some.map(({ client }) => client))]
    encoding.writeVarUint(
      out,
      this.#or(clients.length, () => random.pick([1, 5_000, 2 ** 31]))
    )
    for (const client of clients) {
      const clocks = some.filter((tuple) => tuple.client === client).map(({ clock }) => clock)
      encoding.writeVarUint(out, client)
      encoding.writeVarUint(out, clocks.length)
      for (const clock of clocks) {
        encoding.writeVarUint(out, clock)
        encoding.writeVarUint(
          out,
          this.#or(1, () => random.pick([0, 3, 2 ** 41]))
        )
      }
    }
  }

  ops(author: Uint8Array, space: string, epoch: string, seq: number): Op[] {
    const { random } = this
    return Array.from({ length: random.below(4) }, (): Op => this.#harmed(this.#op(author, space, epoch, seq)))
  }

  /** An op as it would be on the wire, now and then with something in it that no writer of ours puts there. */
  #harmed(op: Op): Op {
    if (op.k === 'unknown' || op.k === 'edit' || !this.random.chance(0.1)) return op
    const raw = harmValue(this.random, encodeOp(op))
    return { k: 'unknown', raw: raw as Record<string, unknown> }
  }

  #op(author: Uint8Array, space: string, epoch: string, seq: number): Op {
    const { random } = this
    if (this.#or(space === 'catalog', () => random.chance(0.5))) {
      const entry = random.pick(this.entries)
      if (random.chance(0.1)) return { k: 'body', bytes: random.bytes(random.below(50)) }
      if (random.chance(0.03)) return this.#checkpoint()
      return { k: 'edit', entry, update: this.update(author, epoch, seq, entry) }
    }
    const key = random.chance(0.5) ? author : random.bytes(32)
    return random.pick<Op>([
      this.#admission(key),
      {
        k: 'invite',
        invite: 'ab'.repeat(16),
        secretHash: random.bytes(32),
        role: random.pick(ROLES),
        expires: random.below(10),
        uses: 1 + random.below(3),
        ...this.#scope()
      },
      { k: 'uninvite', invite: 'ab'.repeat(16) },
      removalOf(this.node.replica.log, key),
      this.#appointment(key),
      { k: 'renew', round: this.#or(1 + random.below(4), () => MAX_ROUND), keys: this.#some(() => key) },
      this.#rekey(author),
      {
        k: 'secret',
        generation: this.#or(1 + random.below(3), () => MAX_SERIAL),
        id: 'cd'.repeat(16),
        boxes: this.#some(() => ({ key: this.#or(this.node.keys.publicKey, () => key, 0.5), box: this.#box() }))
      },
      { k: 'retire', ids: this.#some(() => 'cd'.repeat(16)) },
      {
        k: 'found',
        root: this.node.lab.root.publicKey,
        signature: random.bytes(64),
        name: random.pick(TEXTS.slice(0, 3)),
        nodeName: 'again'
      },
      { k: 'unknown', raw: { k: 'later', x: random.bytes(3) } }
    ])
  }

  #some<T>(one: () => T): T[] {
    return Array.from({ length: this.random.below(4) }, one)
  }

  /** A checkpoint is proposed, or attested: one that is there, or not. */
  #checkpoint(): Op {
    const { random, node } = this
    const [head] = node.replica.heads()
    const place = this.#or(head ?? { log: 'ab'.repeat(16), seq: 1, id: 'cd'.repeat(32) }, () => ({
      log: 'ef'.repeat(16),
      seq: 1 + random.below(9),
      id: '01'.repeat(32)
    }))
    const manifest = { hash: 'ab'.repeat(32), size: 1 + random.below(1_000) }
    if (random.chance(0.5)) return { k: 'attest', proposal: place.id, manifest }
    return random.chance(0.5) ? { k: 'checkpoint' } : { k: 'checkpoint', before: { proposal: place, manifest } }
  }

  /** Of an author under a path, of a later round, by an invitation, or none of that. */
  #admission(key: Uint8Array): Op {
    const { random } = this
    return {
      k: 'admit',
      key,
      role: random.pick(ROLES),
      name: random.pick(TEXTS.slice(0, 3)),
      ...(random.chance(0.3) ? { round: this.#or(1 + random.below(4), () => MAX_ROUND) } : {}),
      ...(random.chance(0.3) ? { invite: 'ab'.repeat(16) } : {}),
      ...this.#scope()
    }
  }

  #scope(): { scope?: string[] } {
    const { random } = this
    if (random.chance(0.7)) return {}
    return { scope: Array.from({ length: 1 + random.below(3) }, () => this.#or('a/b', () => random.pick(TEXTS), 0.2)) }
  }

  /** By the root, over what it says or over something else. */
  #appointment(key: Uint8Array): Op {
    const { random, node } = this
    const overrides = this.#some(() => ({ log: random.pick(this.entries), seq: 1 + random.below(3) }))
    const appointment = { key, name: random.pick(TEXTS.slice(0, 3)), serial: 1 + random.below(3), overrides }
    const signature = signAppointment(node.lab.root, node.lab.cluster, appointment)
    return { k: 'appoint', ...appointment, signature: this.#or(signature, () => random.bytes(64), 0.5) }
  }

  /** To a key of its own, which signs for it or not; some of them again and again. */
  #rekey(author: Uint8Array): Op {
    const { random, node } = this
    const next = keyPairOf(Buffer.alloc(32, 1 + random.below(20)))
    const signature = signRekey(next, node.lab.cluster, author)
    return { k: 'rekey', key: next.publicKey, signature: this.#or(signature, () => random.bytes(64), 0.3) }
  }

  /** One the node can open, or bytes. */
  #box(): Uint8Array {
    const { random, node } = this
    const sealed = sealSecret(random.bytes(32), node.keys.publicKey, random.bytes(32))
    return this.#or(sealed, () => random.bytes(SECRET_BOX_BYTES), 0.5)
  }

  /** A record that is signed and continues its log, whatever it says. */
  record(keys: LabNode['keys'], tip: SignedRecord | undefined, epoch: string, space: string): SignedRecord {
    const { random, node } = this
    const seq = (tip?.body.seq ?? 0) + 1
    const all: Dep[] = [...node.replica.heads(space), ...(space === 'members' ? [] : node.replica.heads('members'))]
    const own = logIdOf(space, keys.publicKey, epoch)
    const deps = all.filter(({ log }) => log !== own)
    return forge(node, keys, {
      space,
      epoch,
      seq,
      prev: tip?.id ?? null,
      deps: this.#or(deps, () => (random.chance(0.5) ? [] : deps.slice(1))),
      time: this.#or(LAB_TIME * 1_000, () => random.pick([0, 1, 2 ** 53 - 1])),
      ops: this.ops(keys.publicKey, space, epoch, seq)
    })
  }
}
