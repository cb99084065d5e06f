import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Buckets, MAX_OPEN, type Counted } from '../../src/catalog/buckets.js'
import { MemoryStore, Overlay } from '../../src/store/index.js'
import { sha256 } from '../../src/wire/index.js'

const id = (at: number): string => sha256(Buffer.from(`${at}`)).toString('hex', 0, 16)
const hash = (at: number): Counted => ({ hash: sha256(Buffer.from(`hash ${at}`)) })

/** A store that refuses a write when it is told to. */
class Refusing extends MemoryStore {
  refuses = false

  override write(batch: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    return this.refuses ? Promise.reject(new Error('refused')) : super.write(batch)
  }
}

async function reload(store: MemoryStore): Promise<Buckets> {
  const buckets = new Buckets()
  await buckets.load(store)
  return buckets
}

test('what is written of the sums is what all entries put until then make, also after a write that failed', async () => {
  const store = new Refusing()
  const rows = new Overlay({ store })
  const buckets = new Buckets()
  const add = (from: number, to: number): void => {
    for (let at = from; at < to; at++) buckets.replace(id(at), undefined, hash(at))
    buckets.save(rows)
  }
  add(0, 300)
  store.refuses = true
  await assert.rejects(rows.flush(), /refused/)
  add(300, 310)
  store.refuses = false
  await rows.flush()
  assert.equal((await reload(store)).root(), buckets.root())
  const before = buckets.root()
  add(310, 311)
  assert.equal((await reload(store)).root(), before, 'what is not written yet is not in the store')
  await rows.flush()
  assert.equal((await reload(store)).root(), buckets.root())
})

test('what was handed over to be written does not change any more', () => {
  const rows = new Overlay({ store: new MemoryStore() })
  const buckets = new Buckets()
  buckets.replace(id(1), undefined, hash(1))
  buckets.save(rows)
  const [[, handedOver] = []] = rows.take()
  const before = Buffer.from(handedOver!)
  buckets.replace(id(1), hash(1), hash(2))
  assert.ok(before.equals(handedOver!))
})

test('an entry that is replaced many times before the sums are looked at is hashed once, and the sums are the same', () => {
  let hashed = 0
  const counted = (at: number): Counted => ({
    get hash() {
      hashed += 1
      return hash(at).hash
    }
  })
  const [often, once] = [new Buckets(), new Buckets()]
  for (const buckets of [often, once]) {
    buckets.replace(id(1), undefined, hash(1))
    buckets.root()
  }
  for (let at = 1; at < 100; at++) often.replace(id(1), at === 1 ? hash(1) : counted(at), counted(at + 1))
  once.replace(id(1), hash(1), hash(100))
  assert.equal(hashed, 0)
  assert.equal(often.root(), once.root())
  assert.deepEqual(often.sums(), once.sums())
  assert.ok(hashed <= 2, `${hashed}`)
  // one that is gone again before anybody looked counts for nothing
  once.replace(id(2), undefined, hash(2))
  once.replace(id(2), hash(2), undefined)
  assert.equal(often.root(), once.root())
})

test('entries that wait to be hashed are never more than a few', () => {
  const buckets = new Buckets()
  let hashed = 0
  const counted = (at: number): Counted => ({
    get hash() {
      hashed += 1
      return hash(at).hash
    }
  })
  for (let at = 1; at < MAX_OPEN; at++) buckets.replace(id(at), undefined, counted(at))
  assert.equal(hashed, 0)
  buckets.replace(id(MAX_OPEN), undefined, counted(MAX_OPEN))
  assert.equal(hashed, 2 * MAX_OPEN, 'each is looked at twice')
})
