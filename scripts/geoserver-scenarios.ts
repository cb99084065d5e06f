/**
 * One list of scenarios at a fleet of GeoServers, each with a daemon beside it: at stand-ins, or at real ones whose start
 * command you give. Both print the same report.
 *
 *   npm run geoserver-scenarios
 *   npm run geoserver-scenarios -- --start 'COMMAND with {dir} and {port}' --datadir TEMPLATE [--password-file FILE]
 *                                  [--user admin] [--context /geoserver] [--nodes 3] [--only NAME]... [--json]
 *
 * The command must stay in the foreground, listen on 127.0.0.1:{port} and use the data directory {dir}, which is a copy of
 * the template: one with a security folder, or nobody may use REST. Takes some 15 minutes, for turns to reload come once a
 * minute. Ends with 1 when something is not as it should be.
 */
import '../src/polyfill.js'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Cluster } from '../test/e2e/cluster.js'
import { copyOf, Fleet } from '../test/e2e/geoserver-fleet.js'
import { lineOf, runScenarios } from '../test/e2e/geoserver-scenario-report.js'
import { fillFirst, standInDirectory } from '../test/e2e/geoserver-scenario-world.js'
import { SCENARIOS } from '../test/e2e/geoserver-scenarios.js'
import { PACKAGE_ROOT } from '../test/e2e/program.js'

const STAND_IN = `exec node --import tsx '${join(PACKAGE_ROOT, 'test/geoserver/stand-in.ts')}' --dir '{dir}' --port {port}`

const { values } = parseArgs({
  options: {
    start: { type: 'string', default: STAND_IN },
    datadir: { type: 'string' },
    context: { type: 'string', default: '/geoserver' },
    user: { type: 'string', default: 'admin' },
    'password-file': { type: 'string' },
    nodes: { type: 'string', default: '3' },
    only: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
    logs: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false }
  }
})
const isReal = values.start !== STAND_IN
if (isReal && values.datadir === undefined) {
  process.stderr.write('usage: npm run geoserver-scenarios -- --start COMMAND --datadir TEMPLATE\n')
  process.exit(2)
}
const unknown = values.only?.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name)) ?? []
if (values.list || unknown.length > 0) {
  process.stdout.write(SCENARIOS.map(({ name }) => `${name}\n`).join(''))
  process.exit(values.list ? 0 : 2)
}

// later scenarios need what the first ones made
const chosen = SCENARIOS.filter(
  ({ name, setup }) => values.only === undefined || setup === true || values.only.includes(name)
)
const password =
  values['password-file'] === undefined ? 'geoserver' : readFileSync(values['password-file'], 'utf8').trim()
const cluster = new Cluster()
const fleet = new Fleet(cluster, {
  command: { start: values.start, context: values.context, user: values.user, password },
  fill: values.datadir === undefined ? standInDirectory : copyOf(values.datadir),
  nodes: Number(values.nodes)
})
try {
  await fleet.start()
  await fillFirst(fleet.first)
  const report = await runScenarios(fleet, chosen, (result) => {
    if (!values.json) process.stdout.write(`${lineOf(result)}\n`)
  })
  if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  else {
    process.stdout.write(report.lost.map((line) => `left out: ${line}\n`).join(''))
    process.stdout.write(`${report.ok ? 'ok' : 'FAILED'}: GeoServer ${report.version}, ${chosen.length} scenarios\n`)
  }
  if (!report.ok) process.exitCode = 1
  if (values.logs) process.stderr.write(cluster.tails())
} catch (error) {
  process.stderr.write(cluster.tails())
  throw error
} finally {
  await fleet.stop()
  await cluster.close()
}
