import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesText, fit, pairs, safe, shellWord, shortId, table } from '../../src/cli/terminal.js'
import { treeText } from '../../src/cli/tree.js'
import { jsonText } from '../../src/control/json.js'
import { widest } from './shell.js'

// oxlint-disable-next-line no-control-regex
const DRIVES_TERMINAL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u2028\u2029]/

test('no text from elsewhere drives the terminal, printed as text, tree, table or JSON', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
      const printed = [
        safe(text),
        treeText({ [text]: [text, { text }] }),
        table([{ title: 't', of: () => text }], [1], 80),
        pairs([['k', text]]),
        jsonText(text)
      ]
      for (const one of printed) {
        assert.doesNotMatch(one, DRIVES_TERMINAL)
        assert.ok(one.isWellFormed())
      }
      assert.equal(JSON.parse(jsonText(text)), text)
    }),
    { seed: 1 }
  )
})

test('lone surrogates and newlines in names are escaped, other scripts stay as they are', () => {
  assert.equal(safe('\ud800 a\nb'), '\\u{d800} a\\x0ab')
  assert.equal(safe('Größe 地図 🗺'), 'Größe 地図 🗺')
})

test('ids are shortened so that they can be recognised, words are not', () => {
  assert.equal(shortId('ab'.repeat(32)), 'abababababab…')
  assert.equal(shortId('12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'), '12D3…c6iDEp')
  assert.equal(
    shortId('/dns4/a.rather.long.name.example/tcp/4470/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'),
    '/dns4/a.rather.long.name.example/tcp/4470/p2p/12D3…c6iDEp'
  )
  assert.equal(shortId('alpha'), 'alpha')
})

test('a table keeps to the width by cutting its last column', () => {
  const columns = [
    { title: 'a', of: (row: string[]) => row[0]!, align: 'right' as const },
    { title: 'b', of: (row: string[]) => row[1]! }
  ]
  const text = table(
    columns,
    [
      ['1', 'x'.repeat(100)],
      ['22', 'y']
    ],
    40
  )
  assert.equal(text.split('\n')[0], ' a  b')
  assert.equal(text.split('\n')[2], '22  y')
  assert.equal(widest(text), 40)
  assert.equal(fit('abcdef', 4), 'ab…f')
})

test('sizes and shell words read well', () => {
  assert.deepEqual([0, 1023, 1536, 2 ** 40].map(bytesText), ['0 B', '1023 B', '1.5 KiB', '1.0 TiB'])
  assert.deepEqual(['/a/b', "it's here", ''].map(shellWord), ['/a/b', `'it'\\''s here'`, "''"])
})
