import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { applyUpdate as apply, emptyEntry, type EntryState, type UpdateContext } from '../../src/catalog/entry.js'
import { hydrate, inspectDoc } from '../../src/catalog/doc.js'
import {
  decodeUpdate,
  encodeUpdate,
  encodeValue,
  isSame,
  type DeleteRange,
  type EditUpdate,
  type Value
} from '../../src/catalog/update.js'
import { GrapevineError } from '../../src/errors.js'
import {
  MAX_FIELD_NAME_BYTES,
  MAX_TIME,
  MAX_UPDATE_BYTES,
  MAX_UPDATE_TUPLES,
  MAX_VALUE_DEPTH
} from '../../src/wire/index.js'

const SEED = 20_260_101
const CLIENT = 0x1f_ffff_ffff_ffff
const LOG = 'a'.repeat(32)

const context = (changes: Partial<UpdateContext> = {}): UpdateContext => ({
  log: LOG,
  seq: 7,
  time: 1_000,
  client: CLIENT,
  knows: () => true,
  ...changes
})

const applyUpdate = (state: EntryState, update: EditUpdate, record: UpdateContext): void =>
  apply(state, update, record, encodeUpdate(update))

const edit = (changes: Partial<EditUpdate> = {}): EditUpdate => ({
  client: CLIENT,
  clock: 0,
  tuples: [['body', 'x', 1_000, 7]],
  deletes: [],
  ...changes
})

function nested(depth: number): Value {
  let value: Value = 1
  for (let level = 0; level < depth; level++) value = [value]
  return value
}

/** Bytes of an update written by hand, as a hostile author would. */
function raw(write: (out: encoding.Encoder) => void): Uint8Array {
  const out = encoding.createEncoder()
  write(out)
  return encoding.toUint8Array(out)
}

const varUints = (out: encoding.Encoder, ...values: number[]): void =>
  values.forEach((value) => encoding.writeVarUint(out, value))

/** One client, one struct header; what follows is up to the case. */
function struct(
  info: number,
  rest: (out: encoding.Encoder) => void,
  options: { client?: number; clock?: number; structs?: number; deletes?: boolean } = {}
): Uint8Array {
  return raw((out) => {
    varUints(out, 1, options.structs ?? 1, options.client ?? CLIENT, options.clock ?? 0)
    encoding.writeUint8(out, info)
    rest(out)
    if (options.deletes !== false) varUints(out, 0)
  })
}

const root = (out: encoding.Encoder, name = 'f'): void => {
  varUints(out, 1)
  encoding.writeVarString(out, name)
}

const tuple = (out: encoding.Encoder): void => tupleOf(out, 'x')
const tupleOf = (out: encoding.Encoder, value: unknown): void =>
  encoding.writeAny(out, ['body', value, 1_000, 7] as unknown as encoding.AnyEncodable)

function refused(bytes: Uint8Array, message?: string): void {
  assert.throws(
    () => decodeUpdate(bytes),
    (error: unknown) => error instanceof GrapevineError && error.code === 'record-malformed',
    message
  )
}

const arbitraryValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.uint8Array({ maxLength: 12 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ minLength: 1, maxLength: 5 }).filter((key) => !key.startsWith('__') && !/^\d+$/.test(key)),
      tie('value'),
      { maxKeys: 4, noNullPrototype: true }
    )
  )
})).value

const arbitraryDeletes: fc.Arbitrary<DeleteRange[]> = fc
  .uniqueArray(
    fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 5 })),
    { maxLength: 8 }
  )
  .map((rows) => {
    const ranges: DeleteRange[] = []
    for (const [client, clock, length] of rows.toSorted((a, b) => b[0] - a[0] || a[1] - b[1])) {
      const last = ranges.at(-1)
      if (last === undefined || last.client !== client || last.clock + last.length < clock)
        ranges.push({ client, clock, length })
    }
    return ranges
  })

const arbitraryUpdate: fc.Arbitrary<EditUpdate> = fc
  .record({
    clock: fc.integer({ min: 0, max: 1_000 }),
    tuples: fc.array(
      fc.tuple(
        fc.string({ minLength: 1, maxLength: 8 }).filter((field) => !field.startsWith('__')),
        arbitraryValue,
        fc.integer({ min: 0, max: MAX_TIME }),
        fc.integer({ min: 0, max: 2 ** 48 })
      ),
      { maxLength: 5 }
    ),
    deletes: arbitraryDeletes
  })
  .map((update) => (update.tuples.length === 0 ? { client: 0, ...update, clock: 0 } : { client: CLIENT, ...update }))

describe('the codec of updates', () => {
  test('reads back what it wrote', () => {
    fc.assert(
      fc.property(arbitraryUpdate, (update) => {
        const read = decodeUpdate(encodeUpdate(update))
        assert.deepEqual({ ...read, tuples: read.tuples.map((each) => [...each]) }, update)
      }),
      { includeErrorInReport: true, seed: SEED, numRuns: 500 }
    )
  })

  test('two values are the same when their bytes are', () => {
    // few letters and short lists, so that the same comes often
    const small: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 2 },
        fc.constantFrom<Value>(null, true, false, 0, -0, 1, 0.5, '', '1', Uint8Array.of(), Uint8Array.of(1)),
        fc.array(tie('value'), { maxLength: 2 }),
        fc
          .array(fc.tuple(fc.constantFrom('a', 'b'), tie('value')), { maxLength: 2 })
          .map((pairs) => Object.fromEntries(pairs))
      )
    })).value
    const agree = (a: Value, b: Value): void =>
      assert.equal(isSame(a, b), Buffer.compare(encodeValue(a), encodeValue(b)) === 0)
    fc.assert(fc.property(small, small, agree), { numRuns: 3_000 })
    fc.assert(fc.property(arbitraryValue, (value) => agree(value, structuredClone(value))))
  })

  test('a Yjs doc reads the same tuples from it', () => {
    fc.assert(
      fc.property(arbitraryUpdate, (update) => {
        const doc = hydrate([encodeUpdate({ ...update, clock: 0, deletes: [] })])
        assert.deepEqual(doc.getArray('f').toArray(), update.tuples)
        assert.equal(doc.store.pendingStructs, null)
      }),
      { includeErrorInReport: true, seed: SEED, numRuns: 200 }
    )
  })

  test('of a damaged update accepts only another canonical one, and refuses the rest with record-malformed', () => {
    let accepted = 0
    fc.assert(
      fc.property(
        arbitraryUpdate,
        fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('flip', 'insert', 'delete', 'cut')), {
          minLength: 1,
          maxLength: 3
        }),
        (update, damage) => {
          let bytes = Buffer.from(encodeUpdate(update))
          for (const [where, value, kind] of damage) {
            const at = where % Math.max(1, bytes.length)
            if (kind === 'flip') bytes[at] = (bytes[at] ?? 0) ^ (value || 1)
            else if (kind === 'insert')
              bytes = Buffer.concat([bytes.subarray(0, at), Uint8Array.of(value), bytes.subarray(at)])
            else if (kind === 'delete') bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
            else bytes = bytes.subarray(0, at)
          }
          try {
            const read = decodeUpdate(bytes)
            assert.deepEqual(Buffer.from(encodeUpdate(read)), bytes)
            accepted += 1
          } catch (error) {
            assert.ok(error instanceof GrapevineError && error.code === 'record-malformed', String(error))
          }
        }
      ),
      { includeErrorInReport: true, seed: SEED, numRuns: 4_000 }
    )
    assert.ok(accepted > 100, 'the damage was too coarse to reach anything valid')
  })

  test('an accepted damaged update leaves a doc that can be stored and loaded again', () => {
    fc.assert(
      fc.property(arbitraryUpdate, fc.nat(), fc.nat(255), (update, where, value) => {
        const bytes = Buffer.from(encodeUpdate({ ...update, clock: 0 }))
        bytes[where % bytes.length] = value
        let state: EntryState
        try {
          const read = decodeUpdate(bytes)
          const [first] = read.tuples
          state = emptyEntry()
          applyUpdate(
            state,
            read,
            context({
              client: read.tuples.length === 0 ? CLIENT : read.client,
              time: first?.[2] ?? 0,
              seq: first?.[3] ?? 0
            })
          )
        } catch (error) {
          assert.ok(error instanceof GrapevineError, String(error))
          return
        }
        const again = Y.encodeStateAsUpdate(hydrate(state.doc))
        const doc = inspectDoc({ ...state, doc: [again] })
        assert.equal(doc.pending, false)
        assert.deepEqual(
          doc.tuples.map(({ client, clock, content }) => [client, clock, content[0]]),
          state.tuples.map(({ client, clock, field }) => [client, clock, field])
        )
      }),
      { includeErrorInReport: true, seed: SEED, numRuns: 1_500 }
    )
  })
})

describe('an update is refused', () => {
  test('with a GC struct, of length 0 or any other', () => {
    for (const length of [0, 1, 5]) refused(struct(0, (out) => varUints(out, length)))
  })

  test('with a Skip struct', () => {
    refused(struct(10, (out) => varUints(out, 3)))
  })

  test('with two structs, or two clients', () => {
    const one = (out: encoding.Encoder): void => {
      root(out)
      varUints(out, 1)
      tuple(out)
    }
    refused(
      struct(
        8,
        (out) => {
          one(out)
          encoding.writeUint8(out, 0x88)
          varUints(out, CLIENT, 0, 1)
          tuple(out)
        },
        { structs: 2 }
      )
    )
    refused(raw((out) => varUints(out, 2, 1, CLIENT, 0)))
  })

  test('with more structs, clients, values or deletions declared than there are, without allocating for them', () => {
    for (const count of [31_000_000, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      refused(raw((out) => varUints(out, 1, count, CLIENT, 0)))
      refused(raw((out) => varUints(out, count)))
      refused(
        struct(8, (out) => {
          root(out)
          varUints(out, count)
          tuple(out)
        })
      )
      refused(raw((out) => varUints(out, 0, count)))
      refused(raw((out) => varUints(out, 0, 1, CLIENT, count)))
    }
  })

  test('with a root of another name, or a second root', () => {
    for (const name of ['g', '', 'ff', '__proto__'])
      refused(
        struct(8, (out) => {
          root(out, name)
          varUints(out, 1)
          tuple(out)
        })
      )
  })

  test('with a parent that is an item, or a key under a map', () => {
    refused(
      struct(8, (out) => {
        varUints(out, 0, CLIENT, 0, 1)
        tuple(out)
      })
    )
    refused(
      struct(8 | 0x20, (out) => {
        root(out)
        encoding.writeVarString(out, 'key')
        varUints(out, 1)
        tuple(out)
      })
    )
  })

  test('with an origin that is not its own previous item, or a right origin', () => {
    const after = (client: number, clock: number, info = 0x88): Uint8Array =>
      struct(
        info,
        (out) => {
          varUints(out, client, clock, 1)
          tuple(out)
        },
        { clock: 3 }
      )
    decodeUpdate(after(CLIENT, 2))
    refused(after(CLIENT, 1))
    refused(after(CLIENT, 3))
    refused(after(CLIENT - 1, 2))
    refused(after(CLIENT, 2, 0x88 | 0x40))
  })

  test('with any other kind of content: deleted, JSON, binary, string, embed, format, type, subdocument', () => {
    const { tuples } = edit()
    for (const kind of [1, 2, 3, 4, 5, 6, 7, 9])
      refused(
        struct(kind, (out) => {
          root(out)
          varUints(out, tuples.length)
          tuple(out)
        }),
        `kind ${kind}`
      )
    const doc = new Y.Doc()
    doc.getMap('f').set('sub', new Y.Doc({ autoLoad: true }))
    refused(Y.encodeStateAsUpdate(doc))
  })

  /** A tuple whose value is a map with the key __proto__, written by hand. */
  const polluted = (prototype: object): Uint8Array =>
    raw((out) => {
      varUints(out, 1, 1, CLIENT, 0)
      encoding.writeUint8(out, 8)
      root(out)
      varUints(out, 1)
      encoding.writeUint8(out, 117)
      varUints(out, 4)
      encoding.writeAny(out, 'body')
      encoding.writeUint8(out, 118)
      varUints(out, 1)
      encoding.writeVarString(out, '__proto__')
      encoding.writeAny(out, prototype as encoding.AnyEncodable)
      encoding.writeAny(out, 1_000)
      encoding.writeAny(out, 7)
      varUints(out, 0)
    })

  test('with __proto__ in a value, at any depth, or any key that begins with "__"', () => {
    // bytes make the map an instance of Uint8Array, which it is not
    for (const prototype of [{ isAdmin: true }, Buffer.from([1]), [1, 2]]) refused(polluted(prototype))
    refused(encodeUpdate(edit({ tuples: [['body', { a: { __a: 1 } }, 1_000, 7]] })))
    assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined)
  })

  test('with a field name that begins with "__", because a tombstone could not keep it', () => {
    refused(encodeUpdate(edit({ tuples: [['__x', 1, 1_000, 7]] })))
    refused(encodeUpdate(edit({ tuples: [['__proto__', 1, 1_000, 7]] })))
    decodeUpdate(encodeUpdate(edit({ tuples: [['_x', 1, 1_000, 7]] })))
  })

  test('with an undefined, a bigint or a number that is not finite', () => {
    for (const value of [undefined, 10n, Number.NaN, Number.POSITIVE_INFINITY])
      refused(
        struct(8, (out) => {
          root(out)
          varUints(out, 1)
          tupleOf(out, value)
        }),
        String(value)
      )
  })

  test('nested deeper than the limit, and by hand so deep that a stack would overflow', () => {
    decodeUpdate(encodeUpdate(edit({ tuples: [['x', nested(MAX_VALUE_DEPTH), 1_000, 7]] })))
    refused(encodeUpdate(edit({ tuples: [['x', nested(MAX_VALUE_DEPTH + 1), 1_000, 7]] })))
    const deep = struct(8, (out) => {
      root(out)
      varUints(out, 1)
      for (let level = 0; level < MAX_UPDATE_BYTES / 2; level++) {
        encoding.writeUint8(out, 117)
        varUints(out, 1)
      }
    })
    refused(deep)
  })

  test('with more tuples than the limit, and not at it', () => {
    const many = (count: number): EditUpdate =>
      edit({ tuples: Array.from({ length: count }, (_, index) => [`f${index}`, index, 1_000, 7] as const) })
    assert.equal(decodeUpdate(encodeUpdate(many(MAX_UPDATE_TUPLES))).tuples.length, MAX_UPDATE_TUPLES)
    refused(encodeUpdate(many(MAX_UPDATE_TUPLES + 1)))
    refused(encodeUpdate(edit({ tuples: [['', 1, 1_000, 7]] })), 'an empty field name')
  })

  test('with a field name over the limit, and not at it', () => {
    decodeUpdate(encodeUpdate(edit({ tuples: [['ü'.repeat(MAX_FIELD_NAME_BYTES / 2), 1, 1_000, 7]] })))
    refused(encodeUpdate(edit({ tuples: [[`x${'ü'.repeat(MAX_FIELD_NAME_BYTES / 2)}`, 1, 1_000, 7]] })))
  })

  test('with a clock over the limit, and not at it', () => {
    decodeUpdate(encodeUpdate(edit({ clock: 2 ** 40 })))
    refused(encodeUpdate(edit({ clock: 2 ** 40 + 1 })))
  })

  test('with tuples that are not [field, value, time, seq]', () => {
    for (const wrong of [
      [],
      ['a', 1, 2],
      ['a', 1, 2, 3, 4],
      [1, 1, 2, 3],
      ['a', 1, -1, 3],
      ['a', 1, 1.5, 3],
      ['a', 1, 2, '3'],
      'text',
      null
    ])
      refused(
        struct(8, (out) => {
          root(out)
          varUints(out, 1)
          encoding.writeAny(out, wrong as encoding.AnyEncodable)
        }),
        JSON.stringify(wrong)
      )
  })

  test('with deletions that overlap, touch, stand out of order, are empty or beyond any clock', () => {
    const deletes = (...ranges: Array<[number, number, number]>): Uint8Array =>
      encodeUpdate(edit({ deletes: ranges.map(([client, clock, length]) => ({ client, clock, length })) }))
    decodeUpdate(deletes([5, 0, 2], [5, 3, 1], [4, 0, 1]))
    refused(deletes([5, 0, 2], [5, 1, 2]), 'overlapping')
    refused(deletes([5, 0, 2], [5, 2, 2]), 'touching')
    refused(deletes([5, 3, 1], [5, 0, 1]), 'clocks out of order')
    refused(deletes([4, 0, 1], [5, 0, 1]), 'clients out of order')
    refused(deletes([5, 0, 0]), 'empty')
    refused(deletes([5, 2 ** 40, 1]), 'too far')
    decodeUpdate(deletes([5, 2 ** 40 - 1, 1]))
    refused(
      raw((out) => varUints(out, 0, 1, 5, 0)),
      'a client without ranges'
    )
  })

  test('with a byte behind its end, or a number written longer than needed', () => {
    const good = encodeUpdate(edit())
    refused(Buffer.concat([good, Uint8Array.of(0)]))
    refused(raw((out) => [0x80, 0x00, 0x00].forEach((byte) => encoding.writeUint8(out, byte))))
    refused(new Uint8Array())
  })
})

describe('an update applied to an entry', () => {
  test('under the client id of somebody else is refused', () => {
    assert.throws(() => applyUpdate(emptyEntry(), edit({ client: CLIENT - 1 }), context()), {
      code: 'record-malformed'
    })
  })

  test('must continue exactly at the clock where its author stands: no jump, no repetition', () => {
    const state = emptyEntry()
    applyUpdate(state, edit(), context())
    for (const clock of [0, 2, 2 ** 40]) {
      const before = structuredClone(state)
      assert.throws(() => applyUpdate(state, edit({ clock }), context()), { code: 'record-malformed' })
      assert.deepEqual(state, before)
    }
    applyUpdate(state, edit({ clock: 1 }), context())
    assert.equal(state.clients[0]!.clock, 2)
  })

  test('must carry the stamp of its own record', () => {
    assert.throws(() => applyUpdate(emptyEntry(), edit(), context({ time: 999 })), { code: 'record-malformed' })
    assert.throws(() => applyUpdate(emptyEntry(), edit(), context({ seq: 8 })), { code: 'record-malformed' })
  })

  test('under a client id that belongs to another log already is refused', () => {
    const state = emptyEntry()
    applyUpdate(state, edit(), context())
    assert.throws(() => applyUpdate(state, edit({ clock: 1 }), context({ log: 'b'.repeat(32) })), {
      code: 'record-malformed'
    })
  })

  test('deletes nothing that is yet to be written: the victim writes later and its value stays', () => {
    const state = emptyEntry()
    const attacker = context({ log: 'b'.repeat(32), client: 9 })
    applyUpdate(
      state,
      { client: 0, clock: 0, tuples: [], deletes: [{ client: CLIENT, clock: 0, length: 2 ** 39 }] },
      attacker
    )
    applyUpdate(state, edit(), context())
    assert.deepEqual(
      state.tuples.map(({ field }) => field),
      ['body']
    )
    assert.equal(inspectDoc(state).tuples.length, 1)
  })

  test('deletes only what its record can have seen, tuple by tuple, and the doc agrees', () => {
    const state = emptyEntry()
    applyUpdate(
      state,
      edit({
        tuples: [
          ['a', 1, 1_000, 7],
          ['b', 2, 1_000, 7]
        ]
      }),
      context()
    )
    applyUpdate(state, edit({ clock: 2, tuples: [['c', 3, 2_000, 8]] }), context({ seq: 8, time: 2_000 }))
    const other = context({ log: 'b'.repeat(32), client: 9, seq: 1, time: 5, knows: (_log, seq) => seq <= 7 })
    applyUpdate(
      state,
      { client: 9, clock: 0, tuples: [['b', 4, 5, 1]], deletes: [{ client: CLIENT, clock: 1, length: 2 }] },
      other
    )
    assert.deepEqual(state.tuples.map(({ field, value }) => `${field}=${String(value)}`).toSorted(), [
      'a=1',
      'b=4',
      'c=3'
    ])
    assert.deepEqual(
      inspectDoc(state)
        .tuples.map(({ content }) => content[0])
        .toSorted(),
      ['a', 'b', 'c']
    )
  })
})
