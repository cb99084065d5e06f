import assert from 'node:assert/strict'
import test from 'node:test'
import { statusText } from '../../src/cli/status.js'
import type { StatusView } from '../../src/control/target.js'

const hashOf = (i: number): string => i.toString(16).padStart(2, '0').repeat(32)

function linesOf(fetching: StatusView['blobs']['fetching']): string[] {
  const status: StatusView = {
    node: 'node',
    name: 'one',
    cluster: 'c'.repeat(32),
    clusterName: 'fleet',
    role: 'admin',
    state: 'running',
    version: '0',
    since: 'now',
    listen: [],
    peers: [],
    spaces: [],
    blobs: { stored: 0, bytes: 0, letGo: { count: 0, bytes: 0 }, wanted: fetching.length, fetching },
    unreplicated: 0,
    problems: []
  }
  const lines = statusText(status, 120).split('\n')
  return lines.filter((line) => /fetching|more/.test(line)).map((line) => line.trim().replace(/ +/g, ' '))
}

test('status names what has come furthest of what is on its way, with how far it is', () => {
  const size = 4 * 2 ** 20
  const half = { hash: hashOf(1), size, have: size / 2 }
  const most = { hash: hashOf(2), size, have: size - 1 }
  const none = { hash: hashOf(3), size, have: 0 }
  assert.deepEqual(linesOf([half, none, most]), [
    'fetching 020202020202… 4.0 MiB of 4.0 MiB, 99 %',
    'fetching 010101010101… 2.0 MiB of 4.0 MiB, 50 %'
  ])
})

test('of more than eight only eight are named', () => {
  const fetching = (count: number): StatusView['blobs']['fetching'] =>
    Array.from({ length: count }, (_, i) => ({ hash: hashOf(i), size: 100, have: 50 }))
  assert.equal(linesOf(fetching(8)).length, 8)
  assert.deepEqual(linesOf(fetching(9)).slice(8), ['and 1 more'])
})
