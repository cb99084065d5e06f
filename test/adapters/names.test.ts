import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkName, checkPath, portability, showName } from '../../src/adapters/index.js'
import { MAX_NAME_BYTES, MAX_PATH_BYTES } from '../../src/wire/index.js'
import { isError } from '../contract/adapter.js'

describe('names', () => {
  test('that no system can hold or that could break out are refused with the next step', () => {
    for (const name of ['', '.', '..', 'a/b', 'a\\b', 'a\0', '\u001f', '\u007f', 'x\ny', '\ud800', 'a\udc00']) {
      isError('name-not-allowed')(checkName(name))
    }
  })

  test('that look dangerous and are not are allowed', () => {
    for (const name of ['...', '..a', ' ', '~', '$HOME', '%2e%2e', 'ring_buoy.png?', 'CON', '__proto__', '🍇']) {
      assert.equal(checkName(name), null, name)
    }
  })

  test('may have as many bytes as a file system takes and not one more', () => {
    assert.equal(checkName('é'.repeat(127) + 'x'), null)
    assert.equal(Buffer.byteLength('é'.repeat(127) + 'x'), MAX_NAME_BYTES)
    isError('name-not-allowed')(checkName('é'.repeat(128)))
  })

  test('make a path of at most so many bytes, each of them checked', () => {
    const longest = 'abcdefg/'.repeat(MAX_PATH_BYTES / 8 - 1) + 'abcdefgh'
    assert.equal(Buffer.byteLength(longest), MAX_PATH_BYTES)
    assert.equal(checkPath(longest), null)
    isError('name-not-allowed')(checkPath(`${longest}i`))
    for (const path of ['', '/a', 'a/', 'a//b', 'a/../b', './a']) isError('name-not-allowed')(checkPath(path))
  })

  test('that other systems cannot hold are remarked upon', () => {
    const systems = (name: string) => portability(name).map((note) => note.system)
    for (const name of ['CON', 'aux.xml', 'Lpt1', 'com¹.txt', 'a.', 'a ', 'a:b', 'ring_buoy.png?', 'a|b', '<a>']) {
      assert.deepEqual([...new Set(systems(name))], ['windows'], name)
    }
    assert.deepEqual(systems('A\u030a'), ['macos'])
    for (const name of ['console', 'auxiliary.xml', 'com10', '\u00c5', '.hidden', 'a b']) {
      assert.deepEqual(systems(name), [], name)
    }
  })

  test('are shown so that no terminal can be played with', () => {
    assert.equal(showName('Grüße 🍇'), 'Grüße 🍇')
    assert.equal(showName('a\u001b[31m\n'), 'a\\x1b[31m\\x0a')
    assert.equal(showName('\u202egnp.exe'), '\\u{202e}gnp.exe')
    assert.equal(showName(Buffer.from([0x61, 0xff, 0xfe])), 'a\\xff\\xfe')
    assert.equal(showName('\ud800'), '\\u{d800}')
  })
})
