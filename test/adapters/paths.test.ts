import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWithin, outermost } from '../../src/adapters/paths.js'

test('a path is within itself, what is above it and the root, and within no path that only begins alike', () => {
  for (const scope of ['a/b/c', 'a/b', 'a', '']) assert.ok(isWithin('a/b/c', new Set(['x', scope])), scope)
  for (const scope of ['a/b/c/d', 'a/b/', 'b', 'a/bc']) assert.ok(!isWithin('a/b/c', new Set(['x', scope])), scope)
  assert.ok(!isWithin('roads', new Set(['road'])))
  assert.ok(!isWithin('a', new Set()))
})

test('the outermost of paths are those no other contains, once', () => {
  assert.deepEqual(outermost(['a/b', 'a', 'a/b/c', 'ab', 'x/y', 'x/y']), ['a', 'ab', 'x/y'])
  assert.deepEqual(outermost(['a', '', 'b/c']), [''])
  assert.deepEqual(outermost([]), [])
})
