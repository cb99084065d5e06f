import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plot } from '../../scripts/plot.js'
import { crowd } from './crowd.js'

const SMALL = { nodes: 12, links: 4, changes: 2, restMs: 60_000 }

describe('many nodes that are counted', () => {
  it('all get every change, and the same seed gives the same counts', async () => {
    const first = await crowd(SMALL)
    assert.equal(first.toAllMs.length, 2)
    assert.ok(first.toAllMs.every((ms) => ms > 0 && ms < 1_000))
    assert.ok(first.linksMean >= 4 && first.linksMost < 11)
    assert.deepEqual(await crowd(SMALL), first)
  })

  it('sends a change to each node as often as the mesh is wide, and no oftener', async () => {
    const mesh = (D: number): ReturnType<typeof crowd> =>
      crowd({ ...SMALL, links: 8, degrees: () => ({ D, Dlo: D, Dhi: D, Dout: 1, Dscore: 1 }) })
    const [narrow, wide] = [await mesh(2), await mesh(5)]
    // each passes it on to all but the one it came from, and some are pulled by their ids
    assert.ok(narrow.perChange.gossip >= 0.9 && narrow.perChange.gossip <= 1.3, `${narrow.perChange.gossip}`)
    assert.ok(wide.perChange.gossip >= 3.5 && wide.perChange.gossip <= 4.3, `${wide.perChange.gossip}`)
  })

  it('says at rest to each neighbour twice a minute what it holds, and nothing else', async () => {
    const { perMinuteAtRest: rest, linksMean } = await crowd(SMALL)
    assert.ok(Math.abs(rest.notices / linksMean - 2) < 0.5, `${rest.notices} to ${linksMean}`)
    assert.deepEqual([rest.gossip, rest.lazy, rest.requests], [0, 0, 0])
  })
})

describe('a plot', () => {
  it('has a line a series, a mark a point within the picture, and its words made harmless', () => {
    const svg = plot(
      [
        {
          title: 'a < b & c',
          unit: 'ms',
          series: [
            {
              name: 'one',
              points: [
                [10, 1],
                [100, 4],
                [1_000, 30]
              ]
            },
            { name: 'two', points: [[10, 2]] }
          ]
        }
      ],
      'nodes'
    )
    assert.equal(svg.match(/<polyline/g)?.length, 2)
    const marks = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)])
    assert.equal(marks.length, 4)
    for (const [x, y] of marks) assert.ok(x! >= 56 && x! <= 344 && y! >= 34 && y! <= 216, `${x} ${y}`)
    // a tenth of the axis a decade: the middle one is in the middle
    assert.equal(marks[1]![0], (marks[0]![0]! + marks[2]![0]!) / 2)
    assert.match(svg, /a &lt; b &amp; c \(ms\)/)
  })
})
