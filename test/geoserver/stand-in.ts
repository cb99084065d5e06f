/**
 * Runs a stand-in as a process of its own: `tsx test/geoserver/stand-in.ts --dir D --port 0`. Its first line says where
 * it is, as JSON; it ends at SIGTERM or SIGINT.
 */
import { parseArgs } from 'node:util'
import { measuredReloadMs } from './geoserver.js'
import { startStandIn } from './server.js'

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    port: { type: 'string', default: '0' },
    user: { type: 'string', default: 'admin' },
    password: { type: 'string', default: 'geoserver' },
    /** Part of the measured time that a reload takes. */
    'reload-share': { type: 'string', default: '1' },
    version: { type: 'string' },
    /** A plugin that is not there. */
    lacks: { type: 'string', multiple: true }
  }
})
if (values.dir === undefined) throw new Error('say which data directory: --dir D')

const share = Number(values['reload-share'])
const standIn = await startStandIn({
  dir: values.dir,
  port: Number(values.port),
  user: values.user,
  password: values.password,
  ...(values.version !== undefined && { version: values.version }),
  ...(values.lacks !== undefined && { lacks: values.lacks }),
  reloadMs: (layers) => share * measuredReloadMs(layers)
})
process.stdout.write(`${JSON.stringify({ url: standIn.url, objects: standIn.server.catalog.size })}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void standIn.stop())
