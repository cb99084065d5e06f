/** What a digest says of the system beside its sender. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeNotice, encodeCbor, encodeNotice } from '../../src/wire/index.js'

const digest = '00'.repeat(32)

test('a digest carries the name of the system beside its sender, and what that lacks', () => {
  for (const lacks of [[], ['css', 'mongodb']]) {
    const message = { t: 'digest', digest, beside: { system: 'GeoServer 2.26.2', lacks } } as const
    assert.deepEqual(decodeNotice(encodeNotice(message)), message)
  }
  assert.deepEqual(decodeNotice(encodeNotice({ t: 'digest', digest })), { t: 'digest', digest })
})

test('a digest is refused when what it names is not text, or is empty', () => {
  for (const fields of [
    { sys: 7 },
    { sys: '' },
    { sys: 'x', lacks: 'css' },
    { sys: 'x', lacks: [''] },
    { sys: 'x', lacks: [1] }
  ])
    assert.throws(() => decodeNotice(encodeCbor({ t: 'digest', digest: new Uint8Array(32), ...fields })), {
      code: 'message-malformed'
    })
})
