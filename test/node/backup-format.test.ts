/** A backup is whole and unharmed, or refused by name. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  BackupWriter,
  KIND,
  MAX_FRAME_PAYLOAD_BYTES,
  packFile,
  packRecords,
  readBackup,
  unpackFile,
  unpackRecords,
  type BackupFrame
} from '../../src/node/backup-format.js'

function sample(): Buffer {
  const writer = new BackupWriter()
  return Buffer.concat([
    writer.head(),
    writer.json(KIND.about, { node: 'n' }),
    writer.frame(KIND.file, packFile('node.key', Buffer.from('key'))),
    writer.frame(KIND.records, packRecords([Buffer.from('one'), Buffer.from('two')])),
    writer.end({ records: 2 })
  ])
}

async function read(bytes: Uint8Array, pieceBytes = bytes.length): Promise<BackupFrame[]> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
  }
  const frames: BackupFrame[] = []
  for await (const frame of readBackup(pieces())) frames.push({ kind: frame.kind, payload: Buffer.from(frame.payload) })
  return frames
}

describe('a backup', () => {
  test('is read as it was written, however it is cut into pieces on the way', async () => {
    for (const pieceBytes of [1, 7, 64, 10_000]) {
      const frames = await read(sample(), pieceBytes)
      assert.deepEqual(
        frames.map(({ kind }) => kind),
        [KIND.about, KIND.file, KIND.records, KIND.end]
      )
      assert.equal(unpackFile(frames[1]!.payload).bytes.toString(), 'key')
      assert.deepEqual(unpackRecords(frames[2]!.payload).map(String), ['one', 'two'])
    }
  })

  test('with any one bit flipped is refused', async () => {
    const sound = sample()
    for (let at = 0; at < sound.length; at++) {
      const bad = Buffer.from(sound)
      bad[at]! ^= 1 << (at % 8)
      await assert.rejects(
        read(bad),
        (error: { code?: string }) => error.code === 'backup-damaged' || error.code === 'store-newer',
        `byte ${at}`
      )
    }
  })

  test('cut anywhere is refused', async () => {
    const sound = sample()
    for (let length = 0; length < sound.length; length++)
      await assert.rejects(read(sound.subarray(0, length)), { code: 'backup-damaged' }, `${length} bytes`)
  })

  test('with something behind its end is refused', async () => {
    await assert.rejects(read(Buffer.concat([sample(), Buffer.from([0])])), { code: 'backup-damaged' })
  })

  test('with a frame lost, doubled or in another place is refused', async () => {
    const writer = new BackupWriter()
    const [head, a, b, end] = [
      writer.head(),
      writer.frame(KIND.bytes, Buffer.from('a')),
      writer.frame(KIND.bytes, Buffer.from('b')),
      writer.end({})
    ]
    assert.equal((await read(Buffer.concat([head, a, b, end]))).length, 3)
    for (const order of [
      [head, b, end],
      [head, a, end],
      [head, b, a, end],
      [head, a, a, b, end],
      [head, end]
    ])
      await assert.rejects(read(Buffer.concat(order)), { code: 'backup-damaged' })
  })

  test('of a later format is refused as such, not as damage', async () => {
    const head = new BackupWriter().head()
    head.writeUInt32BE(2, 4)
    const { crc32 } = await import('node:zlib')
    head.writeUInt32BE(crc32(head.subarray(0, 8)), 8)
    await assert.rejects(read(head), { code: 'store-newer' })
  })

  test('whose frame claims more than the largest payload is refused before that much is held', async () => {
    const writer = new BackupWriter()
    const head = writer.head()
    const exact = writer.frame(KIND.bytes, Buffer.alloc(MAX_FRAME_PAYLOAD_BYTES))
    assert.equal((await read(Buffer.concat([head, exact, writer.end({})]))).length, 2)
    const claim = Buffer.alloc(12)
    claim.writeUInt32BE(KIND.bytes, 0)
    claim.writeUInt32BE(MAX_FRAME_PAYLOAD_BYTES + 1, 4)
    let taken = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.concat([new BackupWriter().head(), claim])
      for (;;) {
        taken += 1
        yield Buffer.alloc(1024)
      }
    }
    await assert.rejects(
      async () => {
        for await (const frame of readBackup(endless())) void frame
      },
      { code: 'backup-damaged' }
    )
    assert.equal(taken, 0)
  })
})
