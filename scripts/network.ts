/**
 * Proves with real daemons what the network part promises. Each scenario prints one line: its name, ok, failed or
 * skipped, and its figures. `--only NAME` runs one (may be repeated), `--measure` the measurements in place of the
 * scenarios. The figures of a machine that does other things at the same time are good for comparing, not for quoting.
 */
import { parseArgs } from 'node:util'
import { Lan } from './network-lan.js'
import { MEASUREMENTS } from './network-measure.js'
import { SCENARIOS, type Scenario, type Settings } from './network-scenarios.js'
import { World } from './network-world.js'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    measure: { type: 'boolean', default: false },
    /** Seconds. */
    cut: { type: 'string', default: '150' },
    /** Seconds. */
    sleep: { type: 'string', default: '30' },
    'log-level': { type: 'string', default: 'info' },
    list: { type: 'boolean', default: false },
    /** The nodes' logs also of what went well. */
    logs: { type: 'boolean', default: false }
  }
})

const settings: Settings = { cutMs: Number(values.cut) * 1_000, sleepMs: Number(values.sleep) * 1_000 }
const lan = Lan.available

async function runOne(name: string, scenario: Scenario): Promise<boolean> {
  if (scenario.lan === true && !lan) {
    line(name, 'skipped', 'needs root and network namespaces')
    return true
  }
  const world = new World({ lan: scenario.lan ?? false, logLevel: values['log-level'] })
  try {
    const figures = await scenario.run(world, settings)
    line(
      name,
      'ok',
      Object.entries(figures)
        .map(([figure, value]) => `${figure} ${value}`)
        .join(', ')
    )
    if (values.logs) process.stderr.write(world.cluster.tails())
    return true
  } catch (error) {
    line(name, 'failed', error instanceof Error ? error.message.split('\n')[0]! : String(error))
    process.stderr.write(`${error instanceof Error ? error.stack : ''}\n${world.cluster.tails()}`)
    return false
  } finally {
    await world.close()
  }
}

function line(name: string, outcome: string, rest: string): void {
  process.stdout.write(`${name.padEnd(20)} ${outcome.padEnd(8)} ${rest}\n`)
}

const known = { ...SCENARIOS, ...MEASUREMENTS }
const chosen = values.only ?? Object.keys(values.measure ? MEASUREMENTS : SCENARIOS)
const unknown = chosen.filter((name) => !Object.hasOwn(known, name))
if (unknown.length > 0) {
  process.stderr.write(`there is no ${unknown.join(', ')}; there are ${Object.keys(known).join(', ')}\n`)
  process.exit(2)
}
if (values.list) for (const [name, { about }] of Object.entries(known)) line(name, '', about)
else {
  let good = true
  for (const name of chosen) good = (await runOne(name, known[name]!)) && good
  process.exit(good ? 0 : 1)
}
