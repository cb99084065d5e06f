import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeUpdate } from '../../src/catalog/update.js'
import { GrapevineError } from '../../src/errors.js'
import { decodeFrame } from '../../src/net/frames.js'
import { decodeAddresses, decodeHello } from '../../src/net/hello.js'
import {
  decodeBlobAnswer,
  decodeBlobRequest,
  encodeBlobAnswer,
  encodeBlobRequest
} from '../../src/wire/blob-messages.js'
import {
  bodyOf,
  decodeAnswer,
  decodeCborRaw,
  decodeGossip,
  decodeJoinAnswer,
  decodeJoinRequest,
  decodeMessage,
  decodeNotice,
  decodeRecord,
  decodeRequest,
  decodeToken,
  encodeCbor,
  encodeToken,
  SIGNATURE_BYTES,
  type SyncAnswer
} from '../../src/wire/index.js'
import { goldenBytes } from '../golden/files.js'
import { TOKEN } from '../golden/fixtures.js'
import * as spec from './spec-reader.js'

/** Far above what any of these takes; far below what a person would call a hang. */
const MAX_DECODE_MS = 2_000
/** Damaged copies tried of each kind of bytes. */
const RUNS = 400

type Decode = (bytes: Uint8Array) => unknown

const ANSWERS: ReadonlyArray<SyncAnswer['t']> = ['records', 'root-is', 'buckets-are', 'bucket-is']
const messages = goldenBytes('messages.json')
const named = (prefix: string): Uint8Array[] =>
  [...messages].filter(([name]) => name.startsWith(prefix)).map(([, bytes]) => bytes)
const hash = 'ab'.repeat(32)

/** Every decoder that meets bytes from outside, with good bytes to be damaged. */
const DECODERS: Readonly<Record<string, { decode: Decode; good: readonly Uint8Array[] }>> = {
  record: { decode: decodeRecord, good: [...goldenBytes('records.json').values()] },
  update: { decode: decodeUpdate, good: [...goldenBytes('updates.json').values()] },
  notice: { decode: decodeNotice, good: named('notice') },
  request: { decode: decodeRequest, good: named('request') },
  ...Object.fromEntries(
    ANSWERS.map((kind) => [
      `answer ${kind}`,
      { decode: (bytes: Uint8Array) => decodeAnswer(bytes, kind), good: named(`answer: ${kind}`) }
    ])
  ),
  gossip: { decode: decodeGossip, good: named('gossip') },
  'join request': { decode: decodeJoinRequest, good: named('join request') },
  'join answer': { decode: decodeJoinAnswer, good: [...named('join answer'), ...named('join refusal')] },
  hello: { decode: decodeHello, good: named('hello') },
  addresses: { decode: decodeAddresses, good: named('addresses') },
  frame: { decode: decodeFrame, good: named('frame') },
  token: { decode: (bytes) => decodeToken(Buffer.from(bytes).toString('latin1')), good: named('token') },
  'blob request': {
    decode: decodeBlobRequest,
    good: [
      encodeBlobRequest({ t: 'node', hash, size: 2 ** 31, level: 1, index: 0 }),
      encodeBlobRequest({ t: 'chunk', hash, size: 5, index: 0 }),
      encodeBlobRequest({ t: 'have', hashes: [hash, hash] })
    ]
  },
  'blob answer': {
    decode: decodeBlobAnswer,
    good: [
      encodeBlobAnswer({ t: 'bytes', bytes: new Uint8Array(40) }),
      encodeBlobAnswer({ t: 'absent' }),
      encodeBlobAnswer({ t: 'sizes', sizes: [1, null, 2 ** 40] })
    ]
  }
}

/** Decodes, and passes when that works or ends in one of our errors, soon. Returns whether it worked. */
function survives(decode: Decode, bytes: Uint8Array): boolean {
  const start = performance.now()
  try {
    decode(bytes)
    return true
  } catch (error) {
    assert.ok(
      error instanceof GrapevineError,
      `threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
    )
    return false
  } finally {
    assert.ok(performance.now() - start < MAX_DECODE_MS, 'took too long')
  }
}

/** One way to damage bytes. */
type Damage = { kind: 'flip' | 'set' | 'cut' | 'drop' | 'repeat' | 'insert'; at: number; length: number; value: number }

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom('flip', 'set', 'cut', 'drop', 'repeat', 'insert'),
  at: fc.nat(100_000),
  length: fc.integer({ min: 1, max: 40 }),
  // heads of CBOR, varints and any-values that lie about what follows do more harm than random ones
  value: fc.oneof(
    fc.nat(255),
    fc.constantFrom(0x00, 0x7f, 0x80, 0x9b, 0xbb, 0x9f, 0xbf, 0xff, 0xfb, 0xf9, 0xc0, 0x5b, 0x7b, 0x75, 0x76, 0x7a)
  )
})

function damaged(bytes: Uint8Array, { kind, at, length, value }: Damage): Uint8Array {
  const place = bytes.length === 0 ? 0 : at % bytes.length
  const front = bytes.subarray(0, place)
  const part = bytes.subarray(place, place + length)
  const rest = bytes.subarray(place + length)
  switch (kind) {
    case 'flip':
      return Buffer.concat([
        front,
        Buffer.from(part.subarray(0, 1).map((byte) => byte ^ (1 << (value & 7)))),
        bytes.subarray(place + 1)
      ])
    case 'set':
      return Buffer.concat([front, Buffer.alloc(part.length, value), rest])
    case 'cut':
      return front
    case 'drop':
      return Buffer.concat([front, rest])
    case 'repeat':
      return Buffer.concat([front, part, part, rest])
    case 'insert':
      return Buffer.concat([front, Buffer.alloc(length, value), part, rest])
  }
}

describe('hostile bytes', () => {
  for (const [name, { decode, good }] of Object.entries(DECODERS)) {
    it(`${name}: a damaged copy of good bytes is read or refused with a typed error`, () => {
      fc.assert(
        fc.property(fc.nat(good.length), fc.array(damage, { minLength: 1, maxLength: 4 }), (which, damages) => {
          survives(decode, damages.reduce(damaged, good[which % Math.max(1, good.length)] ?? new Uint8Array()))
        }),
        { numRuns: RUNS }
      )
    })

    it(`${name}: random bytes are read or refused with a typed error`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void survives(decode, bytes)),
        { numRuns: RUNS }
      )
    })

    it(`${name}: any other CBOR value is read or refused with a typed error`, () => {
      const value = fc.anything({
        withNullPrototype: false,
        withBigInt: false,
        maxDepth: 4,
        key: fc.constantFrom('t', 'v', 'log', 'records', 'k', 'ops', 'r', 'h', '__proto__', '')
      })
      fc.assert(
        fc.property(value, (any) => {
          let bytes: Uint8Array
          try {
            bytes = encodeCbor(any)
          } catch {
            return
          }
          survives(decode, bytes)
        }),
        { numRuns: RUNS / 4 }
      )
    })

    it(`${name}: every cut of good bytes is read or refused with a typed error`, () => {
      for (const bytes of good) for (let end = 0; end < bytes.length; end++) survives(decode, bytes.subarray(0, end))
    })
  }

  it('inside a signed body reach the reader of ops, fields and deps', () => {
    const good = [...goldenBytes('records.json').values()]
    let read = 0
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.array(damage, { minLength: 1, maxLength: 2 }), (which, damages) => {
        const record = good[which]!
        const body = damages.reduce(damaged, bodyOf(record))
        if (survives(decodeRecord, Buffer.concat([record.subarray(0, SIGNATURE_BYTES), body]))) read += 1
      }),
      { numRuns: 4 * RUNS }
    )
    assert.ok(read > 0, 'no damaged body was ever read: the damage is too crude to test anything')
  })

  it('are taken as an update exactly when the specification takes them', () => {
    const good = [...goldenBytes('updates.json').values()]
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.array(damage, { minLength: 1, maxLength: 2 }), (which, damages) => {
        const bytes = damages.reduce(damaged, good[which]!)
        assert.equal(survives(decodeUpdate, bytes), takes(spec.readUpdate, bytes))
      }),
      { numRuns: 4 * RUNS }
    )
  })

  it('are taken as CBOR exactly when the specification takes them', () => {
    const good = [...messages].filter(([name]) => !/^(frame|token)/.test(name)).map(([, bytes]) => bytes)
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.array(damage, { minLength: 1, maxLength: 2 }), (which, damages) => {
        const bytes = damages.reduce(damaged, good[which]!)
        assert.equal(takes(decodeCborRaw, bytes), takes(spec.readCbor, bytes))
      }),
      { numRuns: 4 * RUNS }
    )
  })
})

function takes(read: Decode, bytes: Uint8Array): boolean {
  try {
    read(bytes)
    return true
  } catch {
    return false
  }
}

describe('CBOR that is not strict', () => {
  const refused: ReadonlyArray<[what: string, hex: string]> = [
    ['a duplicate key', 'a2616101616102'],
    ['a key that is not text', 'a10102'],
    ['an indefinite list', '9f01ff'],
    ['an indefinite map', 'bf616101ff'],
    ['indefinite bytes', '5f4101ff'],
    ['indefinite text', '7f6161ff'],
    ['a break alone', 'ff'],
    ['NaN', 'f97e00'],
    ['infinity', 'f97c00'],
    ['minus infinity', 'fbfff0000000000000'],
    ['a float that is an integer', 'f93c00'],
    ['a float', 'fb3ff199999999999a'],
    ['undefined', 'f7'],
    ['another simple value', 'e0'],
    ['a tag', 'c001'],
    ['an integer that is not shortest', '1801'],
    ['a length that is not shortest', '580141'],
    ['an integer beyond 2^53 - 1', '1b0020000000000000'],
    ['text that is not UTF-8', '61ff'],
    ['half a surrogate pair as text', '63eda080'],
    ['bytes after the value', '0000'],
    ['nothing', ''],
    ['a list of 2^53 values', '9b0020000000000000'],
    ['bytes of 4 GiB', '5affffffff00']
  ]
  for (const [what, hex] of refused) {
    it(`is refused: ${what}`, () => {
      const bytes = Buffer.from(hex, 'hex')
      assert.throws(() => decodeCborRaw(bytes))
      assert.throws(() => decodeMessage(bytes), { code: 'message-malformed' })
      assert.throws(() => decodeRecord(Buffer.concat([Buffer.alloc(SIGNATURE_BYTES), bytes])), {
        code: 'record-malformed'
      })
      assert.equal(takes(spec.readCbor, bytes), false)
    })
  }

  it('does not lose a byte order mark, nor a key named like the prototype', () => {
    for (const text of ['\ufeff', '\ufeffname', 'a\ufeff', '\ufeff'.repeat(200)])
      assert.equal(decodeCborRaw(encodeCbor(text)), text)
    const map = decodeCborRaw(Buffer.from('a1695f5f70726f746f5f5f01', 'hex')) as object
    assert.ok(Object.hasOwn(map, '__proto__'))
    assert.equal(Object.getPrototypeOf(map), Object.prototype)
  })
})

describe('updates that Yjs would take and we do not', () => {
  const create = goldenBytes('updates.json').get('a file is created')!
  const hex = Buffer.from(create).toString('hex')
  const cases: ReadonlyArray<[what: string, hex: string]> = [
    ['a second writing client', hex.replace(/^0101/, '0201')],
    ['two structs', hex.replace(/^0101/, '0102')],
    ['another root', hex.replace('08010166', '08010167')],
    ['a parent by id', hex.replace('08010166', '0800')],
    ['a GC struct', '010105000005' + '00'],
    ['a skip', '01010500' + '0a05' + '00'],
    ['a sub-document', '0101050009010166' + '0161' + '7600' + '00'],
    ['a nested type', '0101050007010166' + '00' + '00'],
    ['text content', '0101050004010166' + '0161' + '00'],
    ['undefined as a value', '01010500080101660175047701787f7d007d0100'],
    ['a big integer as a value', '01010500080101660175047701787a00000000000000017d007d0100'],
    ['NaN as a value', '01010500080101660175047701787b7ff80000000000007d007d0100'],
    ['infinity as a value', '01010500080101660175047701787c7f8000007d007d0100'],
    ['a double where a single would do', '01010500080101660175047701787b3fe00000000000007d007d0100'],
    ['a single where an integer would do', '01010500080101660175047701787c3f8000007d007d0100'],
    ['an integer in more bytes than it takes', '01010500080101660175047701787d80007d007d0100'],
    ['a key like the prototype', '0101050008010166017504770178760109' + '5f5f70726f746f5f5f' + '7e7d007d0100'],
    ['a key twice', '0101050008010166017504770178760201617e01617e7d007d0100'],
    ['a time that is negative', '01010500080101660175047701787e7d417d0100'],
    ['an empty field name', '010105000801016601750477007e7d007d0100'],
    ['three elements instead of four', '01010500080101660175037701787e7d0000'],
    ['no tuples', '010105000801016600' + '00'],
    ['delete ranges that overlap', '0001050200020101'],
    ['a client id beyond 2^53 - 1', '0001808080808080801001' + '0001'],
    ['delete ranges that touch', '0001050200020201'],
    ['a delete of nothing', '0001050100' + '00'],
    ['clients in ascending order', '00020501000106010001'],
    ['a client without ranges', '00010500'],
    ['bytes behind the end', '000000']
  ]
  for (const [what, bytes] of cases) {
    it(`is refused: ${what}`, () => {
      assert.throws(() => decodeUpdate(Buffer.from(bytes, 'hex')), { code: 'record-malformed' })
      assert.equal(takes(spec.readUpdate, Buffer.from(bytes, 'hex')), false)
    })
  }

  it('and the shortest of the permitted form is taken', () => {
    for (const shortest of ['0000', '01010500080101660175047701787e7d007d0100', '0001050100' + '01']) {
      decodeUpdate(Buffer.from(shortest, 'hex'))
      spec.readUpdate(Buffer.from(shortest, 'hex'))
    }
  })
})

describe('a token', () => {
  const text = encodeToken(TOKEN)

  it('is read as it was written, with spaces and line ends around it', () => {
    for (const around of [text, ` ${text}\n`, `\r\n${text}\t`])
      assert.deepEqual(simple(decodeToken(around)), simple(TOKEN))
  })

  it('of any content is read as it was written', () => {
    const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
    const hex = (length: number): fc.Arbitrary<string> => bytes(length).map((each) => Buffer.from(each).toString('hex'))
    const token = fc.record({
      cluster: hex(16),
      clusterSecret: bytes(32),
      root: bytes(32),
      issuer: bytes(32),
      invite: hex(16),
      secret: bytes(16),
      role: fc.constantFrom('admin' as const, 'author' as const, 'public' as const, 'relay' as const),
      expires: fc.maxSafeNat(),
      clusterName: fc.string({ unit: 'grapheme', maxLength: 20 }).filter((name) => Buffer.byteLength(name) <= 128),
      addresses: fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 60 }), { maxLength: 16 })
    })
    fc.assert(fc.property(token, (each) => assert.deepEqual(simple(decodeToken(encodeToken(each))), simple(each))))
  })

  it('cut short anywhere, or with one character changed, is refused as damaged', () => {
    for (let end = 0; end < text.length; end++)
      assert.throws(() => decodeToken(text.slice(0, end)), { code: 'token-malformed' })
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === 'A' ? 'B' : 'A'
      const changed = text.slice(0, at) + other + text.slice(at + 1)
      // the last character of base64 may hold bits that mean nothing
      if (at < text.length - 1)
        assert.throws(() => decodeToken(changed), { code: 'token-malformed' }, `character ${at}`)
    }
  })
})

/** Bytes as hex, so that buffers and arrays compare. */
function simple(token: object): unknown {
  return Object.fromEntries(
    Object.entries(token).map(([key, value]) => [
      key,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
    ])
  )
}
