import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Asking } from '../../src/replica/asking.js'
import { decodeRequest, encodeAnswer, type PullRequest } from '../../src/wire/index.js'

const REQUEST: PullRequest = { t: 'pull', log: '0'.repeat(32), from: 1, count: 10 }

describe('asking for records', () => {
  it('wants them packed from a peer until both held the same, and again when the link was lost', async () => {
    const asked: boolean[] = []
    const asking = new Asking({
      transport: {
        request: async (_to, _lane, frame) => {
          const request = decodeRequest(frame)
          asked.push(request.t === 'pull' && request.packed === true)
          return encodeAnswer({ t: 'records', records: [], head: 0 })
        }
      },
      intake: { decodeAll: async () => [] },
      checkpointNeeded: () => assert.fail('there is no checkpoint')
    })
    await asking.records('a', REQUEST)
    asking.heard('a', true)
    asking.heard('b', false)
    await asking.records('a', REQUEST)
    await asking.records('b', REQUEST)
    asking.gone('a')
    await asking.records('a', REQUEST)
    assert.deepEqual(asked, [true, false, true, true])
  })
})
