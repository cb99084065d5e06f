/** When a GeoServer's own memory was written over what it was told, and when what lies there is somebody's. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { notTaken, sayingsOf, type Sayings } from '../../../../src/adapters/geoserver/tell/taken.js'

const PLACE = { path: 'workspaces/w/s/f/featuretype.xml', kind: 'featuretype' } as const

function said(inner: string): Sayings {
  const found = sayingsOf(PLACE, Buffer.from(`<featureType><id>F</id>${inner}</featureType>`))
  assert.ok(found !== undefined)
  return found
}

const lost = (was: string, told: string, wrote: string): string[] => notTaken(said(was), said(told), said(wrote))

describe('of what it was told a GeoServer did not take', () => {
  test('rule 1: what it wrote as it was', () => {
    assert.deepEqual(lost('<title>a</title>', '<title>b</title>', '<title>a</title>'), ['title'])
    assert.deepEqual(lost('<title>a</title>', '<title>b</title>', '<title>b</title>'), [])
    assert.deepEqual(lost('<title>a</title>', '<title>a</title>', '<title>a</title>'), [])
    const two = (title: string, abstract: string): string => `<title>${title}</title><abstract>${abstract}</abstract>`
    assert.deepEqual(lost(two('a', 'x'), two('b', 'y'), two('b', 'x')), ['abstract'])
    const words = (...all: string[]): string =>
      `<keywords>${all.map((word) => `<string>${word}</string>`).join('')}</keywords>`
    assert.deepEqual(lost(words('a'), words('a', 'b'), words('a')), ['keywords'])
    const flags = (...all: string[]): string => all.map((flag) => `<flag>${flag}</flag>`).join('')
    assert.deepEqual(lost(flags('a'), flags('a', 'b'), flags('a')), ['flag'])
  })

  test('rule 2: nothing where something stands that is neither', () => {
    assert.deepEqual(lost('<title>a</title>', '<title>b</title>', '<title>c</title>'), [])
    const two = (title: string, abstract: string): string => `<title>${title}</title><abstract>${abstract}</abstract>`
    assert.deepEqual(lost(two('a', 'x'), two('b', 'x'), two('a', 'edited')), [])
    assert.deepEqual(lost(two('a', 'x'), two('b', 'x'), two('edited', 'x')), [])
  })

  test('rule 3: nothing where it was saved once more since', () => {
    const dated = (title: string, date: string): string => `<title>${title}</title><dateModified>${date}</dateModified>`
    assert.deepEqual(lost('<title>a</title>', dated('b', '1'), dated('a', '1')), ['title'])
    assert.deepEqual(lost('<title>a</title>', dated('b', '1'), dated('a', '2')), [])
    assert.deepEqual(lost('<title>a</title>', '<title>b</title>', dated('a', '2')), ['title'])
  })

  test('rule 4: nothing of a field that is missing on a side, and a default is none', () => {
    assert.deepEqual(lost('<x>1</x>', '<title>b</title>', '<x>1</x>'), [])
    assert.deepEqual(lost('', '<title>b</title>', '<title>a</title>'), [])
    assert.deepEqual(lost('<x>1</x>', '<x>2</x>', ''), [])
    assert.deepEqual(lost('<title>a</title>', '<title>b</title>', '<title>a</title><padWithZeros>false</padWithZeros>'), ['title']) // prettier-ignore
  })
})

test('what is no such document says nothing', () => {
  assert.equal(sayingsOf(PLACE, Buffer.from('<layer/>')), undefined)
  assert.equal(sayingsOf(PLACE, Buffer.from('<featureType>')), undefined)
})
