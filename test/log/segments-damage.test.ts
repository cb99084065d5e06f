import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { frameBytes, segmentHeader, writeFrame } from '../../src/log/frame.js'
import { SegmentLog, type Location } from '../../src/log/segments.js'
import { silentLogger } from '../../src/runtime.js'
import { SimDisk, diskFailure } from '../sim/disk.js'
import { FIRST, SECOND, contents, openLog, payload, seeded, textOf } from './segments-world.js'

const HEADER = 12

/** A disk with closed segments that hold these payloads, one segment each group. */
async function diskWith(...groups: string[][]): Promise<{ disk: SimDisk; places: Location[][] }> {
  const disk = new SimDisk()
  const log = await openLog(disk, { maxSegmentBytes: 1 })
  const places: Location[][] = []
  for (const group of groups) places.push(await log.append(group.map(payload)))
  await log.close()
  return { disk, places }
}

function cut(disk: SimDisk, name: string, size: number): void {
  disk.place(name, disk.contentOf(name).slice(0, size))
}

function extend(disk: SimDisk, name: string, bytes: Uint8Array): void {
  disk.place(name, Buffer.concat([disk.contentOf(name), bytes]))
}

function flip(disk: SimDisk, name: string, offset: number): void {
  disk.damage(name, offset, new Uint8Array([disk.contentOf(name)[offset]! ^ 0x40]))
}

describe('a torn tail', () => {
  test('a last frame cut at any byte is cut off whole, and the log goes on', async () => {
    const { disk, places } = await diskWith(['first', 'second'])
    const whole = disk.contentOf(FIRST)
    const lastStart = places[0]![1]!.offset
    for (let size = 0; size < whole.length; size++) {
      disk.place(FIRST, whole.slice(0, size))
      const log = await openLog(disk)
      const kept = size >= lastStart ? ['first'] : []
      const keptBytes = size >= lastStart ? lastStart : size >= HEADER ? HEADER : 0
      assert.deepEqual(await contents(log), kept, `cut at ${size}`)
      assert.equal(log.recovered.cutBytes, size - keptBytes, `cut at ${size}`)
      await log.append([payload('next')])
      await log.close()
      const again = await openLog(disk)
      assert.deepEqual(await contents(again), [...kept, 'next'], `cut at ${size}`)
      assert.equal(again.recovered.cutBytes, 0)
    }
  })

  test('a last frame with a flipped bit anywhere is cut off', async () => {
    const { disk, places } = await diskWith(['first', 'second'])
    const whole = disk.contentOf(FIRST)
    for (let at = places[0]![1]!.offset; at < whole.length; at++) {
      disk.place(FIRST, whole)
      flip(disk, FIRST, at)
      const log = await openLog(disk)
      assert.deepEqual(await contents(log), ['first'], `flipped at ${at}`)
      assert.equal(log.recovered.cutBytes, whole.length - places[0]![1]!.offset)
    }
  })

  test('zeros behind the last frame, as some file systems leave them, are cut off', async () => {
    const { disk } = await diskWith(['first'])
    extend(disk, FIRST, new Uint8Array(5_000))
    const log = await openLog(disk)
    assert.deepEqual(await contents(log), ['first'])
    assert.equal(log.recovered.cutBytes, 5_000)
  })

  test('what is left after the cut is made durable before anybody builds on it', async () => {
    const disk = new SimDisk()
    const file = await disk.open(FIRST)
    const frame = Buffer.alloc(HEADER + frameBytes(3))
    frame.set(segmentHeader())
    writeFrame(frame, HEADER, { segment: 1, offset: HEADER }, payload('one'))
    await file.append(frame)
    disk.kill()
    assert.equal(disk.durableBytesOf(FIRST), 0)
    assert.deepEqual(await contents(await openLog(disk)), ['one'])
    assert.equal(disk.durableBytesOf(FIRST), frame.length)
  })

  test('a damaged end that is more than one write can leave is kept, and the log goes on in a new segment', async () => {
    const { disk } = await diskWith(['first'])
    const before = disk.contentOf(FIRST).length
    const junk = new Uint8Array(18 * 1024 * 1024).fill(0xaa)
    extend(disk, FIRST, junk)
    const log = await openLog(disk)
    assert.equal(log.recovered.cutBytes, 0)
    assert.deepEqual(log.end, { segment: 2, offset: 0 })
    await log.append([payload('next')])
    assert.deepEqual(await contents(log), ['first', `bad-head@1:${before}+${junk.length}`, 'next'])
  })

  test('an end that the disk cannot read is kept, and the log goes on in a new segment', async () => {
    const { disk } = await diskWith(['first', 'second'])
    const whole = disk.contentOf(FIRST)
    const broken = new BadSectorDisk(disk, 0)
    const log = await SegmentLog.open(broken, { logger: silentLogger })
    assert.equal(log.recovered.cutBytes, 0)
    assert.equal(log.end.segment, 2)
    assert.deepEqual(disk.contentOf(FIRST), whole)
  })
})

describe('damage in the middle', () => {
  test('a flipped bit in a payload loses that payload alone, and is named by position', async () => {
    const { disk, places } = await diskWith(['first', 'second', 'third'])
    const at = places[0]![1]!
    flip(disk, FIRST, at.offset + frameBytes(2))
    const log = await openLog(disk)
    assert.deepEqual(await contents(log), ['first', `bad-payload@1:${at.offset}+${frameBytes(6)}`, 'third'])
    assert.equal(log.recovered.cutBytes, 0)
    assert.throws(() => log.read(at), { code: 'store-damaged' })
    assert.equal(textOf(log.read(places[0]![2]!)), 'third')
  })

  test('a flipped bit in any byte of a head loses that payload alone', async () => {
    const { disk, places } = await diskWith(['first', 'second', 'third'])
    const whole = disk.contentOf(FIRST)
    const at = places[0]![1]!
    for (let byte = 0; byte < 8; byte++) {
      disk.place(FIRST, whole)
      flip(disk, FIRST, at.offset + byte)
      const found = await contents(await openLog(disk))
      assert.deepEqual(found, ['first', `bad-head@1:${at.offset}+${frameBytes(6)}`, 'third'], `byte ${byte}`)
    }
  })

  test('a damaged header is reported and costs no payload', async () => {
    const { disk } = await diskWith(['first'])
    flip(disk, FIRST, 5)
    const log = await openLog(disk)
    await log.append([payload('next')])
    assert.deepEqual(await contents(log), ['bad-header@1:0+12', 'first', 'next'])
  })

  test('a cut end of a segment that is not the last is damage and stays as it is', async () => {
    const { disk, places } = await diskWith(['first', 'second'], ['third'])
    const size = places[0]![1]!.offset + 5
    cut(disk, FIRST, size)
    const log = await openLog(disk)
    assert.equal(log.recovered.cutBytes, 0)
    assert.deepEqual(await contents(log), ['first', `cut-short@1:${size - 5}+5`, 'third'])
    assert.equal(disk.contentOf(FIRST).length, size)
  })

  test('a segment that is missing between others is reported', async () => {
    const { disk } = await diskWith(['first'], ['second'], ['third'])
    await disk.remove(SECOND)
    const log = await openLog(disk)
    assert.deepEqual(await contents(log), ['first', 'segment-missing@2:0+0', 'third'])
    assert.deepEqual(await contents(log, { segment: 2, offset: 40 }), ['segment-missing@2:0+0', 'third'])
  })

  test('a log whose oldest segments were removed on purpose is whole', async () => {
    const { disk } = await diskWith(['first'], ['second'])
    await disk.remove(FIRST)
    assert.deepEqual(await contents(await openLog(disk)), ['second'])
  })

  test('a sector that cannot be read costs the frames it touches and no more', async () => {
    const texts = Array.from({ length: 40 }, (_, n) => `${n}`.padEnd(1_000, '.'))
    const { disk, places } = await diskWith(texts, ['last'])
    const log = await SegmentLog.open(new BadSectorDisk(disk, 8_192), { logger: silentLogger })
    const touched = places[0]!.filter((at) => at.offset < 12_288 && at.offset + frameBytes(at.length) > 8_192)
    const found = await contents(log)
    assert.deepEqual(
      found.filter((text) => !text.includes('@')),
      [...texts.filter((_, n) => !touched.includes(places[0]![n]!)), 'last']
    )
    assert.equal(found.filter((text) => text.includes('@')).length, 2)
  })

  test('bytes inside a damaged payload that look like frames are not taken for some', async () => {
    const inner = Buffer.alloc(frameBytes(4))
    writeFrame(inner, 0, { segment: 1, offset: HEADER }, payload('fake'))
    const hostile = Buffer.concat([Buffer.alloc(7), inner, inner])
    const disk = new SimDisk()
    const log = await openLog(disk)
    const [first] = await log.append([payload('first'), hostile, payload('third')])
    await log.close()
    flip(disk, FIRST, first!.offset + frameBytes(5))
    const found = await contents(await openLog(disk))
    assert.equal(found.length, 3)
    assert.match(found[1]!, /^bad-head/)
    assert.equal(found[2], 'third')
  })

  test('searching behind damage takes no time that grows with what a peer put there', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    // Every fourth byte begins a plausible length of 64 KiB: each would cost a checksum over that much.
    const hostile = Buffer.alloc(4 * 1024 * 1024)
    for (let at = 1; at < hostile.length; at += 4) hostile[at] = 1
    await log.append([payload('first'), hostile, payload('third')])
    await log.close()
    flip(disk, FIRST, HEADER + frameBytes(5) + 4)
    const began = process.cpuUsage()
    const found = await contents(await openLog(disk))
    const spent = process.cpuUsage(began)
    assert.deepEqual([found.length, found[2]], [3, 'third'])
    assert.ok(spent.user + spent.system < 20_000_000, `${spent.user} µs`)
  })

  test('a segment of a newer format is refused by name', async () => {
    const { disk } = await diskWith(['first'])
    const header = Buffer.from('67767367000000023c1c0e8a', 'hex')
    const { crc32 } = await import('node:zlib')
    header.writeUInt32BE(crc32(header.subarray(0, 8)), 8)
    disk.damage(FIRST, 0, header)
    await assert.rejects(openLog(disk), { code: 'store-newer', facts: { segment: 1, found: 2, newest: 1 } })
    assert.deepEqual(disk.contentOf(FIRST).slice(0, HEADER), new Uint8Array(header))
  })
})

test('after a power cut at any moment every acknowledged payload is there, in order, and nothing is made up', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = seeded(seed)
    const disk = new SimDisk()
    const acknowledged = new Set<string>()
    const written = new Set<string>()
    for (let life = 0; life < 4; life++) {
      const log = await openLog(disk.mount(), { maxSegmentBytes: 400 })
      const found = await contents(log)
      const context = `seed ${seed}, life ${life}`
      assert.deepEqual(found, [...new Set(found)], context)
      for (const text of found) assert.ok(written.has(text), `${context}: ${text} was never written`)
      const present = new Set(found)
      for (const text of acknowledged) assert.ok(present.has(text), `${context}: ${text} was acknowledged`)
      assert.deepEqual(
        found.map(Number),
        found.map(Number).toSorted((a, b) => a - b),
        context
      )
      let stop = Math.floor(random.float() * 12)
      for (let call = 0; stop > 0; call++) {
        const texts = Array.from(
          { length: 1 + Math.floor(random.float() * 5) },
          (_, n) => `${life * 10_000 + call * 10 + n}`
        )
        for (const text of texts) written.add(text)
        const appended = log.append(texts.map(payload)).then(() => texts.forEach((text) => acknowledged.add(text)))
        appended.catch(() => {})
        stop -= 1
        // Some calls are awaited, some overlap; the power may go between any two steps of the last ones.
        if (random.float() < 0.5) await appended
        for (let turn = Math.floor(random.float() * 8); turn > 0; turn--) await Promise.resolve()
      }
      disk.crash(random)
    }
  }
})

/** A disk on which one sector (4 KiB at `sector`) of the first segment cannot be read. */
class BadSectorDisk extends SimDisk {
  readonly #disk: SimDisk
  readonly #sector: number

  constructor(disk: SimDisk, sector: number) {
    super()
    this.#disk = disk
    this.#sector = sector
  }

  override list(): Promise<string[]> {
    return this.#disk.list()
  }

  override async open(name: string): ReturnType<SimDisk['open']> {
    const file = await this.#disk.open(name)
    if (name !== FIRST) return file
    const sector = this.#sector
    const read = file.read.bind(file)
    file.read = (offset, length) => {
      if (offset < sector + 4_096 && offset + length > sector && offset + length > HEADER)
        throw diskFailure('EIO', 'bad sector')
      return read(offset, length)
    }
    return file
  }
}
