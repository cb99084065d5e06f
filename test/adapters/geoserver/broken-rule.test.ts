import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokenRule } from '../../../src/adapters/geoserver/broken-rule.js'
import type { Need } from '../../../src/adapters/geoserver/needs.js'

const need = (id: string): Need => ({ by: 'id', role: 'style', id })

test('what is nowhere waits for its time since it was met first, each reference by itself', () => {
  let now = 0
  const rule = new BrokenRule({ rule: 'pass', afterMs: 100 }, { monotonic: () => now })
  assert.equal(rule.waitMs('f', need('a')), 100)
  now = 60
  assert.equal(rule.waitMs('f', need('a')), 40)
  assert.equal(rule.waitMs('f', need('b')), 100)
  assert.equal(rule.waitMs('g', need('a')), 100)
  now = 99
  assert.equal(rule.waitMs('f', need('a')), 1)
  now = 100
  assert.equal(rule.waitMs('f', need('a')), 0)
})

test('what was mended meanwhile waits anew when it breaks again', () => {
  let now = 0
  const rule = new BrokenRule({ rule: 'pass', afterMs: 100 }, { monotonic: () => now })
  rule.waitMs('f', need('a'))
  rule.waitMs('f', need('b'))
  rule.judged(['f'])
  now = 50
  assert.equal(rule.waitMs('f', need('b')), 50)
  rule.judged(['f'])
  assert.equal(rule.waitMs('f', need('b')), 50)
  assert.equal(rule.waitMs('f', need('a')), 100)
  rule.judged(['f'])
  rule.judged(['f'])
  assert.equal(rule.waitMs('f', need('b')), 100)
})

test('a rule can hold what is broken until it is mended, or pass it on at once', () => {
  const clock = { monotonic: () => 0 }
  assert.equal(new BrokenRule({ rule: 'hold', afterMs: 0 }, clock).waitMs('f', need('a')), undefined)
  assert.equal(new BrokenRule({ rule: 'pass', afterMs: 0 }, clock).waitMs('f', need('a')), 0)
})
