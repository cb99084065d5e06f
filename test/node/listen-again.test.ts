/** Where a node listens that begins anew. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listenAgain } from '../../src/node/listen-again.js'

test('a port that was asked for stays, and where any was asked for the one that was found is taken again', () => {
  const had = ['/ip4/127.0.0.1/tcp/40001/p2p/x', '/ip4/10.0.0.7/tcp/40001/p2p/x', '/ip6/::1/tcp/40002/p2p/x']
  assert.deepEqual(listenAgain(['/ip4/0.0.0.0/tcp/0'], had), ['/ip4/0.0.0.0/tcp/40001'])
  assert.deepEqual(listenAgain(['/ip4/10.0.0.7/tcp/0'], had), ['/ip4/10.0.0.7/tcp/40001'])
  assert.deepEqual(listenAgain(['/ip4/10.0.0.8/tcp/0'], had), ['/ip4/10.0.0.8/tcp/0'])
  assert.deepEqual(listenAgain(['/ip6/::/tcp/0', '/ip4/0.0.0.0/tcp/4470'], had), [
    '/ip6/::/tcp/40002',
    '/ip4/0.0.0.0/tcp/4470'
  ])
  assert.deepEqual(listenAgain([], had), [])
})

test('two listeners never take the same port, also not one that another asks for by number', () => {
  const had = ['/ip4/127.0.0.1/tcp/4470', '/ip4/127.0.0.1/tcp/40001', '/ip4/127.0.0.1/tcp/40002']
  const asked = ['/ip4/127.0.0.1/tcp/4470', '/ip4/127.0.0.1/tcp/0', '/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/tcp/0']
  assert.deepEqual(listenAgain(asked, had), [
    '/ip4/127.0.0.1/tcp/4470',
    '/ip4/127.0.0.1/tcp/40001',
    '/ip4/0.0.0.0/tcp/40002',
    '/ip4/0.0.0.0/tcp/0'
  ])
})
