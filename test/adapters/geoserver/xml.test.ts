import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  checkXml,
  MAX_XML_BYTES,
  MAX_XML_DEPTH,
  MAX_XML_ELEMENTS,
  readXml,
  textOf,
  type XmlElement,
  type XmlProblemWord
} from '../../../src/adapters/geoserver/xml.js'

const bytes = (text: string): Buffer => Buffer.from(text)

function treeOf(text: string | Buffer): { text: string; root: XmlElement } {
  const read = readXml(Buffer.from(text))
  assert.ok(read.ok, read.ok ? '' : `${read.problem.word}: ${read.problem.reason}`)
  return read.value
}

/** What both ways of reading say. */
function wordOf(content: string | Uint8Array): XmlProblemWord | null {
  const read = readXml(Buffer.from(content))
  const checked = checkXml(Buffer.from(content))
  if (read.ok || read.problem.word !== 'too-many-elements')
    assert.equal(checked.ok ? null : checked.problem.word, read.ok ? null : read.problem.word)
  return read.ok ? null : read.problem.word
}

describe('XML of a data directory', () => {
  test('becomes a tree with names, attributes, children and text, references resolved', () => {
    const { root } = treeOf('<a x="1"><!-- no --><b>&lt;one&gt; &#65;<![CDATA[<raw>]]></b><b/>tail</a>')
    assert.deepEqual([root.name, root.attributes['x'], root.text], ['a', '1', 'tail'])
    assert.deepEqual(
      root.children.map(({ name, text }) => [name, text]),
      [
        ['b', '<one> A<raw>'],
        ['b', '']
      ]
    )
    assert.equal(textOf(root, 'b'), '<one> A<raw>')
    assert.equal(textOf(root, 'c'), undefined)
  })

  test('knows where each element lies, whatever characters stand before it', () => {
    const source = '\ufeff<?xml version="1.0"?>\r\n<a 海="𝄞">\r\n  <b c=">">𝄞\r\n<d/></b ><e></e>\r\n</a>\n'
    const { text, root } = treeOf(source)
    const [b, e] = root.children as [XmlElement, XmlElement]
    const d = b.children[0]!
    assert.equal(text.slice(root.start, root.end), text.trim().slice('<?xml version="1.0"?>'.length).trim())
    assert.equal(text.slice(b.start, b.end), '<b c=">">𝄞\r\n<d/></b >')
    assert.equal(text.slice(b.innerStart, b.innerEnd), '𝄞\r\n<d/>')
    assert.deepEqual([text.slice(d.start, d.end), d.innerStart, d.innerEnd], ['<d/>', d.end, d.end])
    assert.deepEqual([text.slice(e.start, e.end), e.innerEnd - e.innerStart], ['<e></e>', 0])
  })

  test('may use names that mean something in JavaScript', () => {
    const { root } = treeOf('<__proto__ __proto__="1" constructor="2"><toString/></__proto__>')
    assert.deepEqual([root.name, root.attributes['__proto__'], root.attributes['constructor']], ['__proto__', '1', '2'])
    assert.equal(root.children[0]!.name, 'toString')
  })

  test('is refused with a word when it is broken', () => {
    const broken: Array<[string, XmlProblemWord]> = [
      ['', 'empty'],
      [' \r\n\t', 'empty'],
      ['\ufeff', 'empty'],
      ['<a>', 'malformed'],
      ['<a><b></a></b>', 'malformed'],
      ['<a/><b/>', 'malformed'],
      ['text', 'malformed'],
      ['<!-- only this -->', 'malformed'],
      ['<a x="1" x="2"/>', 'malformed'],
      ['<a x=1/>', 'malformed'],
      ['<a>&unknown;</a>', 'malformed'],
      ['<a>\0</a>', 'malformed'],
      ['<a>]]></a>', 'malformed'],
      ['<a></a', 'malformed']
    ]
    for (const [text, word] of broken) assert.equal(wordOf(text), word, JSON.stringify(text))
  })

  test('with a document type is refused, so that no entity is ever expanded or fetched', () => {
    assert.equal(wordOf('<!DOCTYPE a><a/>'), 'doctype')
    assert.equal(wordOf('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'), 'doctype')
    const laughs = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>'
    assert.equal(wordOf(laughs), 'doctype')
  })

  test('is read in the encoding it declares or its byte order mark says, and in no other', () => {
    const latin = Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>K\xfcste</a>', 'latin1')
    assert.equal(treeOf(latin).root.text, 'Küste')
    assert.equal(treeOf(Buffer.from('\ufeff<a>ü</a>', 'utf16le')).root.text, 'ü')
    assert.equal(treeOf(Buffer.from('\ufeff<a>ü</a>', 'utf16le').swap16()).root.text, 'ü')
    assert.equal(wordOf(Buffer.from('<a>K\xfcste</a>', 'latin1')), 'encoding')
    assert.equal(wordOf('<?xml version="1.0" encoding="no-such"?><a/>'), 'encoding')
  })

  test('may be as long as the limit and not a byte longer', () => {
    const filled = (length: number): Buffer => Buffer.from(`<a>${' '.repeat(length - 7)}</a>`)
    assert.equal(wordOf(filled(MAX_XML_BYTES)), null)
    assert.equal(wordOf(filled(MAX_XML_BYTES + 1)), 'too-large')
  })

  test('may be as deep as the limit and not one deeper', () => {
    const nested = (depth: number): string => '<a>'.repeat(depth) + '</a>'.repeat(depth)
    assert.equal(wordOf(nested(MAX_XML_DEPTH)), null)
    assert.equal(wordOf(nested(MAX_XML_DEPTH + 1)), 'too-deep')
  })

  test('may have as many elements as the limit and not one more, unless none of it is kept', () => {
    const many = (count: number): string => `<a>${'<b/>'.repeat(count - 1)}</a>`
    assert.equal(wordOf(many(MAX_XML_ELEMENTS)), null)
    assert.equal(wordOf(many(MAX_XML_ELEMENTS + 1)), 'too-many-elements')
    assert.deepEqual(checkXml(bytes(many(MAX_XML_ELEMENTS + 1))), { ok: true, value: 'a' })
  })

  test('cut off or damaged anywhere is never more than a problem', () => {
    const whole = bytes('<?xml version="1.0"?><a b="c"><d>&amp;<![CDATA[x]]><!-- y --></d><e/></a>')
    for (let at = 0; at < whole.length; at++) {
      assert.notEqual(wordOf(whole.subarray(0, at)), null, `cut at ${at}`)
      for (const byte of [0, 0x3c, 0x26, 0x80, 0xff]) {
        const damaged = Buffer.from(whole)
        damaged[at] = byte
        wordOf(damaged)
      }
    }
  })
})
