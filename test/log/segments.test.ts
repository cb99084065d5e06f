import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MAX_PAYLOAD_BYTES } from '../../src/log/frame.js'
import { MAX_APPEND_BYTES, MAX_GROUP_FRAMES } from '../../src/log/segment-tail.js'
import { NodeDisk } from '../../src/runtime-node.js'
import type { Disk } from '../../src/runtime.js'
import { SimDisk } from '../sim/disk.js'
import { temporaryDirectory } from '../store/temporary.js'
import { contents, openLog, payload, textOf } from './segments-world.js'

const HEADER = 12
const HEAD = 12

function segmentLogOn(name: string, create: () => Promise<{ disk: Disk; remove(): Promise<void> }>): void {
  describe(`the segment log on ${name}`, () => {
    const on = (title: string, body: (disk: Disk) => Promise<void>): void => {
      test(title, async () => {
        const { disk, remove } = await create()
        try {
          await body(disk)
        } finally {
          await remove()
        }
      })
    }

    on('a new log is empty', async (disk) => {
      const log = await openLog(disk)
      assert.deepEqual(await contents(log), [])
      assert.deepEqual(log.end, { segment: 1, offset: 0 })
      assert.deepEqual(log.stats(), { segments: 1, bytes: 0 })
      assert.deepEqual(log.recovered, { cutBytes: 0 })
      await log.close()
    })

    on('what was appended reads back by its location, in order and contiguous', async (disk) => {
      const log = await openLog(disk)
      const at = await log.append([payload('one'), payload('three'), payload('x')])
      assert.deepEqual(at, [
        { segment: 1, offset: HEADER, length: 3 },
        { segment: 1, offset: HEADER + HEAD + 3, length: 5 },
        { segment: 1, offset: HEADER + 2 * HEAD + 8, length: 1 }
      ])
      assert.deepEqual(
        at.map((place) => textOf(log.read(place))),
        ['one', 'three', 'x']
      )
      assert.deepEqual(log.end, log.positionAfter(at[2]!))
      assert.deepEqual(await contents(log), ['one', 'three', 'x'])
      await log.close()
    })

    on('an append of nothing is accepted and writes nothing', async (disk) => {
      const log = await openLog(disk)
      assert.deepEqual(await log.append([]), [])
      assert.equal(log.stats().bytes, 0)
      await log.close()
    })

    on('a log opened again goes on where it ended', async (disk) => {
      const first = await openLog(disk)
      const [at] = await first.append([payload('before')])
      await first.close()
      const second = await openLog(disk)
      assert.deepEqual(second.recovered, { cutBytes: 0 })
      await second.append([payload('after')])
      assert.equal(textOf(second.read(at!)), 'before')
      assert.deepEqual(await contents(second), ['before', 'after'])
      assert.deepEqual(await contents(second, second.positionAfter(at!)), ['after'])
      assert.deepEqual(await contents(second, second.end), [])
      await second.close()
    })

    on('concurrent appends keep call order, each call together', async (disk) => {
      const log = await openLog(disk)
      const calls = Array.from({ length: 300 }, (_, n) => [payload(`${n}a`), payload(`${n}b`)])
      const places = await Promise.all(calls.map((call) => log.append(call)))
      assert.deepEqual(await contents(log), calls.flat().map(textOf))
      for (const [n, [a, b]] of places.entries()) {
        assert.equal(textOf(log.read(a!)), `${n}a`)
        assert.deepEqual({ segment: b!.segment, offset: b!.offset }, log.positionAfter(a!))
      }
      await log.close()
    })

    on('a segment that would grow beyond its limit is closed, and one that just fits is not', async (disk) => {
      const frames = 4
      const log = await openLog(disk, { maxSegmentBytes: HEADER + frames * (HEAD + 8) })
      for (let n = 0; n < frames; n++) await log.append([payload(`record ${n}`)])
      assert.equal(log.stats().segments, 1)
      const [at] = await log.append([payload('record 4')])
      assert.deepEqual(at, { segment: 2, offset: HEADER, length: 8 })
      const expected = ['record 0', 'record 1', 'record 2', 'record 3', 'record 4']
      assert.deepEqual(await contents(log), expected)
      await log.close()
      const again = await openLog(disk, { maxSegmentBytes: HEADER + frames * (HEAD + 8) })
      assert.deepEqual(await contents(again), expected)
      assert.deepEqual(await contents(again, { segment: 2, offset: 0 }), ['record 4'])
      await again.close()
    })

    on('one append larger than a segment lies in one segment alone', async (disk) => {
      const log = await openLog(disk, { maxSegmentBytes: 64 })
      await log.append([payload('small')])
      const places = await log.append([payload('x'.repeat(50)), payload('y'.repeat(50))])
      assert.deepEqual(
        places.map((at) => at.segment),
        [2, 2]
      )
      await log.append([payload('small')])
      assert.deepEqual(log.end.segment, 3)
      await log.close()
    })

    on('a payload at the limit is taken, one byte more and an empty one are refused', async (disk) => {
      const log = await openLog(disk)
      const [at] = await log.append([new Uint8Array(MAX_PAYLOAD_BYTES).fill(7)])
      assert.equal(log.read(at!).length, MAX_PAYLOAD_BYTES)
      await assert.rejects(log.append([new Uint8Array(MAX_PAYLOAD_BYTES + 1)]), { code: 'too-large' })
      await assert.rejects(log.append([new Uint8Array()]), TypeError)
      await log.append([payload('more')])
      assert.deepEqual(
        (await contents(log)).map((text) => text.length),
        [MAX_PAYLOAD_BYTES, 4]
      )
      await log.close()
    })

    on('a location that holds no such payload is damage', async (disk) => {
      const log = await openLog(disk)
      const [at] = await log.append([payload('one'), payload('two')])
      for (const wrong of [
        { offset: at!.offset + 1 },
        { length: 4 },
        { length: 2 },
        { segment: 2 },
        { offset: 10_000 }
      ]) {
        assert.throws(() => log.read({ ...at!, ...wrong }), { code: 'store-damaged' })
      }
      await log.close()
    })

    on('closing waits for appends under way; later ones are refused', async (disk) => {
      const log = await openLog(disk)
      const appended = log.append([payload('last')])
      await log.close()
      const [at] = await appended
      await log.close()
      await assert.rejects(log.append([payload('late')]), { code: 'stopped' })
      await assert.rejects(log.reopen(), { code: 'stopped' })
      assert.throws(() => log.read(at!), { code: 'stopped' })
      const again = await openLog(disk)
      assert.deepEqual(await contents(again), ['last'])
      await again.close()
    })
  })
}

segmentLogOn('a simulated disk', async () => ({ disk: new SimDisk(), remove: async () => {} }))
segmentLogOn('a real disk', async () => {
  const directory = await temporaryDirectory()
  return { disk: new NodeDisk(`${directory.path}/log`), remove: directory.remove }
})

test('appends that wait share one write and one sync', async () => {
  const disk = new SimDisk()
  const log = await openLog(disk)
  const before = { ...disk.counts }
  await Promise.all(Array.from({ length: 500 }, (_, n) => log.append([payload(`${n}`)])))
  assert.equal(disk.counts.append - before.append, 1)
  assert.equal(disk.counts.sync - before.sync, 1)
})

test('an append is acknowledged only when its bytes are durable', async () => {
  const disk = new SimDisk()
  const log = await openLog(disk)
  await log.append([payload('one')])
  assert.equal(disk.durableBytesOf('00000001.seg'), log.end.offset)
})

test('an append at the limits of one call is taken, and one past them is refused', async () => {
  const log = await openLog(new SimDisk())
  const half = new Uint8Array(MAX_APPEND_BYTES / 2).fill(1)
  await log.append([half, half])
  await assert.rejects(log.append([half, half, new Uint8Array([1])]), { code: 'too-large' })
  const one = new Uint8Array([1])
  assert.equal((await log.append(Array.from({ length: MAX_GROUP_FRAMES }, () => one))).length, MAX_GROUP_FRAMES)
  await assert.rejects(log.append(Array.from({ length: MAX_GROUP_FRAMES + 1 }, () => one)), { code: 'too-large' })
})

test('a long scan lets the event loop run', async () => {
  const log = await openLog(new SimDisk())
  const megabyte = new Uint8Array(1024 * 1024).fill(1)
  await log.append(Array.from({ length: 6 }, () => megabyte))
  let turns = 0
  let done = false
  const count = (): void => {
    turns += 1
    if (!done) setImmediate(count)
  }
  setImmediate(count)
  await contents(log)
  done = true
  assert.ok(turns >= 5, `${turns} turns`)
})

test('a scan shows what was durable when it began', async () => {
  const log = await openLog(new SimDisk())
  await log.append([payload('one'), payload('two')])
  const seen: string[] = []
  for await (const scanned of log.scan()) {
    if ('at' in scanned) seen.push(textOf(scanned.bytes))
    await log.append([payload('later')])
  }
  assert.deepEqual(seen, ['one', 'two'])
})
