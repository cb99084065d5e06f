/** The custodian when what it looks over, or mends, cannot be had. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlobStore } from '../../src/blobs/index.js'
import { GrapevineError } from '../../src/errors.js'
import { Custodian } from '../../src/node/custodian.js'
import { logIdOf } from '../../src/wire/index.js'
import { recordingLogger, tempHome } from '../control/world.js'
import { withMethod } from '../faults/methods.js'
import { Lab, type LabNode } from '../replica/lab.js'

/** Beyond the time to the first look in the background. */
const LATER_MS = 3_600_000

test('a look that fails and a record that cannot be stored anew are told, and the custodian ends all the same', async (t) => {
  const [a] = (await new Lab().nodes(1)) as [LabNode]
  await a.put('f', 'x')
  const { logger, lines } = recordingLogger()
  const failure = new GrapevineError('store-failed', 'EMFILE', { next: 'look' })
  const ref = { hash: 'ab'.repeat(32), size: 3 }
  const blobs = {
    on: () => () => undefined,
    has: () => true,
    sizeOf: () => ref.size,
    async *list() {
      await Promise.resolve()
      yield ref
    },
    async *read(): AsyncGenerator<Uint8Array> {
      await Promise.resolve()
      yield* [] as Uint8Array[]
      throw failure
    }
  } as unknown as BlobStore
  const custodian = new Custodian(
    {
      home: await tempHome(t),
      key: a.keys.publicKey,
      replica: a.replica,
      report: a.report,
      heldBefore: [],
      blobs,
      clock: a.clock,
      logger,
      peers: () => 0,
      want: () => undefined,
      rebuild: () => undefined,
      emit: () => undefined
    },
    { bytesPerSecond: 1_000_000_000 }
  )
  await custodian.start()
  const told = async (what: RegExp): Promise<void> => {
    for (let look = 0; look < 1_000 && !lines.some(({ message }) => what.test(message)); look++) {
      a.clock.advance(1_000)
      await new Promise((done) => setImmediate(done))
    }
    assert.ok(
      lines.some(({ message }) => what.test(message)),
      JSON.stringify(lines)
    )
  }
  a.clock.advance(LATER_MS)
  await told(/Looking over what is stored failed/)
  assert.match(JSON.stringify(lines), /EMFILE/)
  const log = logIdOf('catalog', a.keys.publicKey, a.replica.epoch)
  await withMethod(
    a.replica,
    'repair',
    () => () => Promise.reject(failure),
    async () => {
      custodian.recordDamaged(a.replica.log.row(log, 1)!.id)
      await told(/could not be stored anew/)
    }
  )
  await custodian.stop()
})
