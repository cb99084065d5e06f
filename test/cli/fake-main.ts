/** The executable over the fake lifecycle, for tests that need a real process: signals, pipes, exit codes. */
import { main } from '../../src/cli/run.js'
import { FakeLifecycle } from './fake-lifecycle.js'

const lifecycle = new FakeLifecycle()
const stuck = process.env['TEST_STUCK'] !== undefined
if (stuck) {
  const start = lifecycle.startNode
  lifecycle.startNode = async (...args) => ({
    ...(await start(...args)),
    stop: () => new Promise(() => setInterval(() => undefined, 1_000))
  })
}
lifecycle.target.madeUp = Number(process.env['TEST_ENTRIES'] ?? 10)
process.exit(await main(process, { lifecycle: async () => lifecycle }))
