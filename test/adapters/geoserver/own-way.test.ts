/** The rules of own-way.ts, cited by number. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ownWayOf } from '../../../src/adapters/geoserver/own-way.js'
import { readXml, type XmlElement } from '../../../src/adapters/geoserver/xml.js'

function rootOf(text: string): XmlElement {
  const read = readXml(Buffer.from(`<layer>${text}</layer>`))
  assert.ok(read.ok)
  return read.value.root
}

const droppedOf = (told: string, wrote: string): readonly string[] | undefined =>
  ownWayOf(rootOf(told), rootOf(wrote))?.dropped

describe('what a GeoServer writes is its own way', () => {
  test('rule 1: when elements are gone or have come, wherever they are, and no text reads otherwise', () => {
    assert.deepEqual(droppedOf('<a>1</a><new>2</new>', '<a>1</a>'), ['new'])
    assert.deepEqual(droppedOf('<a>1</a><new>2</new>', '<a>1</a><old>false</old>'), ['new'])
    assert.deepEqual(droppedOf('<m><a>1</a><b>2</b></m>', '<m><a>1</a></m>'), ['m/b'])
    assert.deepEqual(droppedOf('<m><a>1</a></m>', '<m/>'), ['m/a'])
    assert.equal(droppedOf('<a>1</a><new>2</new>', '<a>one</a>'), undefined)
    assert.equal(droppedOf('<m><a>1</a></m>', '<m><a>2</a></m>'), undefined)
    assert.equal(droppedOf('<a x="1">1</a>', '<a x="2">1</a>'), undefined)
    assert.equal(droppedOf('<a x="1">1</a>', '<a>1</a>'), undefined)
    assert.equal(ownWayOf(rootOf(''), { ...rootOf(''), name: 'style' }), undefined)
  })

  test('rule 2: when a number is written otherwise, and not when it is another', () => {
    assert.deepEqual(droppedOf('<a>0</a><b>-1.50</b><c> x </c><d/>', '<a>0.0</a><b>-1.5</b><c>x</c>'), ['d'])
    assert.equal(droppedOf('<a>0</a><d/>', '<a>0.1</a>'), undefined)
    assert.equal(droppedOf('<a>0</a><d/>', '<a></a>'), undefined)
  })

  test('rule 3: when some of a list are gone, and not when one has come or is another', () => {
    const list = (...words: string[]): string => `<l>${words.map((word) => `<s>${word}</s>`).join('')}</l>`
    assert.deepEqual(droppedOf(list('a', 'b', 'b'), list('b', 'a')), ['l/s'])
    assert.deepEqual(droppedOf(list('a', 'b'), list('b')), ['l/s'])
    assert.equal(droppedOf(list('a', 'b'), list('a', 'c')), undefined)
    assert.equal(droppedOf(list('a', 'b'), list('a', 'b', 'b')), undefined)
    assert.equal(droppedOf(list('a'), list('a', 'b')), undefined)
  })

  test('rule 4: only where something is gone', () => {
    assert.equal(droppedOf('<a>1</a>', '<a>1</a><old>false</old>'), undefined)
    assert.equal(droppedOf('<a>0</a>', '<a>0.0</a>'), undefined)
  })

  test('rule 5: when the date of change is the one it was told, or it was told none', () => {
    const dated = (date: string): string => `<a>1</a><dateModified>${date}</dateModified>`
    assert.deepEqual(droppedOf(`${dated('1')}<new/>`, dated('1')), ['new'])
    assert.deepEqual(droppedOf('<a>1</a><new/>', `${dated('2')}<dateCreated>2</dateCreated>`), ['new'])
    assert.equal(droppedOf(`${dated('1')}<new/>`, dated('2')), undefined)
    assert.equal(droppedOf(`${dated('1')}<new/>`, '<a>1</a>'), undefined)
  })
})
