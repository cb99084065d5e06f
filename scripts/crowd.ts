/**
 * What a change costs each of many nodes, and how long it takes: the daemon's own replica, 10 to 1,000 times in this process,
 * over a network that counts (test/sim/mesh.ts says what it leaves out).
 *
 *   npm run crowd -- [--nodes 10,30,100,300,1000] [--links 8,12,16] [--mesh 4,6,8] [--changes 5] [--latency 5]
 *                    [--svg FILE]
 *
 * `--mesh`: to how many neighbours gossip sends at once (D), in place of what gossip-options.ts says. Prints a table; writes it
 * as a plot besides. 1,000 nodes take some minutes and 4 GB.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { crowd, type Crowded, type CrowdOptions } from '../test/sim/crowd.js'
import { median } from './bench-result.js'
import { plot, type Panel } from './plot.js'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '10,30,100,300,1000' },
    links: { type: 'string', default: '8,12,16' },
    changes: { type: 'string', default: '5' },
    latency: { type: 'string', default: '5' },
    mesh: { type: 'string', default: '' },
    svg: { type: 'string' }
  }
})

function numbers(flag: 'nodes' | 'links' | 'changes' | 'latency' | 'mesh'): number[] {
  const found = values[flag].split(',').map(Number)
  if (found.some((number) => !Number.isSafeInteger(number) || number < 1))
    throw new Error(`--${flag} needs whole numbers above 0`)
  return found
}

const COLUMNS: ReadonlyArray<readonly [title: string, unit: string, of: (result: Crowded) => number]> = [
  ['Until all have a change', 'ms', ({ toAllMs }) => median(toAllMs)],
  [
    'Messages a node and change',
    'sent',
    ({ perChange: { gossip, lazy, notices, requests } }) => gossip + lazy + notices + requests
  ],
  [
    'Bytes a node and change',
    'KB sent',
    ({ perChange: { gossipBytes, lazyBytes, noticeBytes, requestBytes } }) =>
      (gossipBytes + lazyBytes + noticeBytes + requestBytes) / 1_000
  ],
  [
    'At rest',
    'bytes a second and node',
    ({ perMinuteAtRest }) => (perMinuteAtRest.noticeBytes + perMinuteAtRest.requestBytes) / 60
  ]
]

/** What is compared: links, and the mesh where one was named. */
interface Variant {
  readonly name: string
  readonly links: number
  readonly degrees?: CrowdOptions['degrees']
}

const variants: Variant[] = numbers('links').flatMap((links): Variant[] => {
  if (values.mesh === '') return [{ name: `${links} links`, links }]
  return numbers('mesh').map((D) => ({
    name: `${links} links, mesh ${D}`,
    links,
    degrees: () => ({ D, Dlo: D - 1, Dhi: D + 4, Dout: 1, Dscore: 2 })
  }))
})

const results: Array<{ readonly variant: Variant; readonly result: Crowded }> = []
process.stdout.write('| nodes | dialled up to | links mean / most | to all ms | messages | KB | at rest B/s |\n')
process.stdout.write('| --- | --- | --- | --- | --- | --- | --- |\n')
for (const nodes of numbers('nodes')) {
  for (const variant of variants) {
    const { name, links, degrees } = variant
    const [changes = 1] = numbers('changes')
    const [latencyMs = 1] = numbers('latency')
    const result = await crowd({ nodes, links, changes, latencyMs, ...(degrees === undefined ? {} : { degrees }) })
    results.push({ variant, result })
    const cells = COLUMNS.map(([, , of]) => of(result).toFixed(1))
    const linked = `${result.linksMean.toFixed(1)} / ${result.linksMost}`
    process.stdout.write(`| ${[nodes, name, linked, ...cells].join(' | ')} |\n`)
  }
}
if (values.svg !== undefined) {
  const panels = COLUMNS.map(([title, unit, of]): Panel => {
    const series = variants.map((variant) => ({
      name: variant.name,
      points: results.filter((one) => one.variant === variant).map(({ result }) => [result.nodes, of(result)] as const)
    }))
    return { title, unit, series }
  })
  writeFileSync(values.svg, plot(panels, 'nodes'))
}
