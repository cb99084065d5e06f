import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodePlain, encodePlain, OTHER } from '../../src/wire/cbor-plain.js'
import { decodeCborSlowly, encodeCborSlowly } from '../../src/wire/cbor.js'
import { encodeCbor, MAX_CBOR_DEPTH } from '../../src/wire/index.js'
import { goldenBytes } from '../golden/files.js'

const RUNS = 2_000

/** What the library makes of bytes; undefined when it refuses them. */
function slowly(bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: decodeCborSlowly(bytes) }
  } catch {
    return undefined
  }
}

const leaf = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(70_000),
  fc.boolean(),
  fc.constant(null),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.uint8Array({ maxLength: 700 }),
  fc.integer(),
  fc.double(),
  fc.constant(undefined),
  fc.constant('\ufeffmark'),
  fc.constant('half \ud800')
)
const key = fc.oneof(fc.string({ maxLength: 30 }), fc.constantFrom('__proto__', 'k', 'e', 'ä', 'toString'))
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(key, tie('value'), { maxKeys: 6 })
  )
}))

/** A list in a list and so on, `depth` of them. */
const nested = (depth: number): Uint8Array => Uint8Array.from([...Array<number>(depth - 1).fill(0x81), 0x80])

describe('plain CBOR', () => {
  it('encodes whatever it takes exactly as the library does', () => {
    fc.assert(
      fc.property(value, (any) => {
        const plain = encodePlain(any)
        if (plain !== OTHER) assert.ok(Buffer.from(plain).equals(encodeCborSlowly(any)))
      }),
      { numRuns: RUNS }
    )
  })

  it('reads whatever it takes exactly as the library does, and takes nothing that is refused', () => {
    const good = [...goldenBytes('records.json').values(), ...goldenBytes('messages.json').values()]
    const harmed = fc
      .tuple(fc.oneof(fc.constantFrom(...good.map((bytes) => bytes.subarray(64))), value.map(encodeCbor)), fc.nat())
      .chain(([bytes, seed]) =>
        fc.tuple(fc.constant(bytes), fc.constant(seed % Math.max(1, bytes.length)), fc.nat(255), fc.boolean())
      )
    fc.assert(
      fc.property(harmed, ([bytes, at, byte, cut]) => {
        const changed = new Uint8Array(cut ? bytes.subarray(0, at) : bytes)
        if (!cut && changed.length > 0) changed[at] = byte
        for (const each of [new Uint8Array(bytes), changed]) {
          const plain = decodePlain(each)
          if (plain !== OTHER) assert.deepEqual({ value: plain }, slowly(each))
        }
      }),
      { numRuns: RUNS }
    )
  })

  it('takes all that records and messages hold itself', () => {
    const some = {
      v: 1,
      cluster: new Uint8Array(16),
      time: 2 ** 50,
      ops: [{ e: new Uint8Array(16), k: 'edit' }],
      t: ''
    }
    const encoded = encodePlain({ ...some, ok: true, none: null, size: 65_536, long: 'x'.repeat(500), ä: 1 })
    assert.equal(encoded, OTHER, 'a key beyond ASCII is left to the library')
    const plain = encodePlain({
      ...some,
      ok: true,
      none: null,
      size: 65_536,
      long: 'x'.repeat(500),
      text: 'ä'.repeat(70)
    })
    assert.ok(plain !== OTHER)
    const read = decodePlain(plain)
    assert.ok(read !== OTHER)
    assert.deepEqual(read, decodeCborSlowly(plain))
  })

  it('leaves to the library what is in another form than the shortest', () => {
    for (const hex of [
      '1817',
      '1900ff',
      '1a0000ffff',
      '1b00000000ffffffff',
      '1b0020000000000000',
      '5f4101ff',
      'f97e00'
    ])
      assert.equal(decodePlain(Buffer.from(hex, 'hex')), OTHER, hex)
    for (const hex of ['1818', '190100', '1a00010000', '1b0000000100000000', '1b001fffffffffffff'])
      assert.deepEqual(decodePlain(Buffer.from(hex, 'hex')), decodeCborSlowly(Buffer.from(hex, 'hex')), hex)
  })

  it('leaves to the library a key that comes twice, or stands for a prototype', () => {
    assert.equal(decodePlain(Buffer.from('a2616101616102', 'hex')), OTHER)
    assert.equal(decodePlain(encodeCborSlowly(JSON.parse('{"__proto__":{"a":1}}'))), OTHER)
  })

  it(`goes ${MAX_CBOR_DEPTH} levels deep and no further`, () => {
    assert.notEqual(decodePlain(nested(MAX_CBOR_DEPTH)), OTHER)
    assert.equal(decodePlain(nested(MAX_CBOR_DEPTH + 1)), OTHER)
    assert.equal(slowly(nested(MAX_CBOR_DEPTH + 1)), undefined)
  })

  it('makes nothing for items that cannot be there', () => {
    assert.equal(decodePlain(Buffer.from('9affffffff00', 'hex')), OTHER)
    assert.equal(decodePlain(Buffer.from('baffffffff00', 'hex')), OTHER)
    assert.equal(decodePlain(Buffer.from('5affffffff00', 'hex')), OTHER)
    assert.equal(decodePlain(Buffer.from('7affffffff00', 'hex')), OTHER)
  })

  it('gives short bytes as a copy, for they may be kept for long, and long ones as a part of the message', () => {
    const bytes = encodeCbor([new Uint8Array(512), new Uint8Array(513)])
    const [short, long] = decodePlain(bytes) as [Uint8Array, Uint8Array]
    assert.equal(short.buffer.byteLength, 512)
    assert.equal(long.buffer, bytes.buffer)
  })

  it('encodes more than the room it keeps, and the next value after that', () => {
    const large = { b: new Uint8Array(300_000).fill(7), t: 'ä'.repeat(100_000) }
    assert.deepEqual(encodePlain(large), encodeCborSlowly(large))
    assert.deepEqual(encodePlain([1]), encodeCborSlowly([1]))
  })
})
