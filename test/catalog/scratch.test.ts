import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as encoding from 'lib0/encoding'
import { encoded, scratched, writeBytes } from '../../src/catalog/scratch.js'

/** Bytes a scratch holds before it takes more. */
const ROOM = 16 * 1024

function fresh(write: (out: encoding.Encoder) => void): Uint8Array {
  const out = encoding.createEncoder()
  write(out)
  return encoding.toUint8Array(out)
}

test('what is encoded is what a new encoder makes of it, also beyond the room there is', () => {
  for (const length of [0, 1, ROOM - 3, ROOM - 2, ROOM, 5 * ROOM]) {
    const write = (out: encoding.Encoder): void => {
      encoding.writeVarUint(out, length)
      writeBytes(out, new Uint8Array(length).fill(7))
      encoding.writeVarString(out, 'end')
    }
    assert.deepEqual(encoded(write), fresh(write))
    assert.deepEqual(
      encoded((out) => encoding.writeUint8(out, 9)),
      Uint8Array.of(9)
    )
  }
})

test('one within another does not write over it', () => {
  const bytes = encoded((out) => {
    encoding.writeUint8(out, 1)
    scratched(
      (inner) => writeBytes(inner, Uint8Array.of(2, 3)),
      (inner) => writeBytes(out, inner)
    )
    encoding.writeUint8(out, 4)
  })
  assert.deepEqual(bytes, Uint8Array.of(1, 2, 3, 4))
})

test('one that fails leaves nothing to the next', () => {
  assert.throws(
    () =>
      encoded((out) => {
        writeBytes(out, new Uint8Array(3 * ROOM))
        encoded(() => {
          throw new RangeError('within')
        })
      }),
    /within/
  )
  assert.deepEqual(
    encoded((out) => encoding.writeUint8(out, 5)),
    Uint8Array.of(5)
  )
})
