/** A control server with a fake target in a process of its own, for tests that stop or kill a daemon. */
import { ControlServer } from '../../src/control/index.js'
import { silentLogger } from '../../src/runtime.js'
import { FakeTarget } from './fake-target.js'

const [home, slow] = process.argv.slice(2)
const target = new FakeTarget()
const server = new ControlServer({ target, logger: silentLogger }, { home: home!, version: '0.1.0' })
target.onShutdown = () => {
  // the answer goes out first; `slow` keeps the process alive for a while after its socket is gone
  setImmediate(async () => {
    await server.stop()
    setTimeout(() => process.exit(0), Number(slow ?? 0))
  })
}
await server.start()
process.send?.('ready')
