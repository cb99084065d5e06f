import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GrapevineError, type ErrorCode } from '../../src/errors.js'
import { Holds } from '../../src/replica/holds.js'

const because = (code: ErrorCode): GrapevineError => new GrapevineError(code, code, { next: 'nothing' })

test('what ends by itself is named last: whoever is refused must hear what will not', () => {
  const holds = new Holds()
  holds.hold('new-life', because('catching-up'))
  holds.hold('twin', because('identity-duplicated'))
  holds.halt(because('fork'))
  const codes = (): string[] => holds.all(because('disk-full')).map(({ code }) => code)
  assert.deepEqual(codes(), ['fork', 'disk-full', 'identity-duplicated', 'catching-up'])
  holds.release('twin')
  assert.deepEqual(codes(), ['fork', 'disk-full', 'catching-up'])
})

test('a failure of the store stands until it is recovered, whatever was thrown', () => {
  const holds = new Holds()
  assert.equal(holds.failed, false)
  assert.equal(holds.fail(new Error('EIO')).code, 'internal')
  assert.equal(holds.fail(because('disk-full')).code, 'disk-full')
  assert.deepEqual(
    holds.all(undefined).map(({ code }) => code),
    ['disk-full']
  )
  holds.recovered()
  assert.deepEqual([holds.failed, holds.all(undefined)], [false, []])
})
