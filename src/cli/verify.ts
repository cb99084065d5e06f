/** `grapevine verify`: do all reachable members hold the same catalog? The exit code is the answer. */
import type { VerifyView } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import { parseDuration } from './duration.js'
import { print } from './print.js'
import { withReader } from './reading.js'
import { safe, shortId, table } from './terminal.js'

export interface VerifyOptions {
  /** Milliseconds. */
  wait: number
}

/** Differences printed one by one; `--json` has all that the node named. */
const SHOWN = 100

export async function run(options: VerifyOptions, context: Context): Promise<void> {
  const signal = context.interrupts()
  const view = await withReader(context, (reader) => reader.verify({ waitMs: options.wait, signal }))
  await print(context, view, () => verifyText(view, context.out.columns))
  if (!view.equal) throw notInSync(view)
}

function verifyText(view: VerifyView, width: number): string {
  const nodes = table(
    [
      { title: 'node', of: (node: VerifyView['nodes'][number]) => shortId(node.node) },
      { title: 'root', of: (node) => (node.root === undefined ? '-' : shortId(node.root)) },
      { title: 'equal', of: (node) => (!node.reachable ? 'not reached' : node.equal ? 'yes' : 'no') },
      { title: 'name', of: (node) => node.name ?? '-' }
    ],
    view.nodes,
    width
  )
  const shown = view.differences
    .slice(0, SHOWN)
    .map((entry) => `differs  ${safe(entry.path)}  on ${entry.nodes.map((node) => safe(shortId(node))).join(', ')}\n`)
  const more = view.differences.length - shown.length
  return nodes + shown.join('') + (more > 0 ? `and ${more} more; see --json\n` : '')
}

function notInSync(view: VerifyView): GrapevineError {
  const differing = view.nodes.filter((node) => node.reachable && !node.equal).length
  return new GrapevineError(
    'not-in-sync',
    `${differing} of ${view.nodes.length} nodes differ in ${view.differences.length} entries`,
    {
      next: 'wait for them with `grapevine verify --wait 30s`, or see `grapevine peers`',
      facts: { differing, entries: view.differences.length }
    }
  )
}

export const definition: CommandDefinition = {
  name: 'verify',
  about: 'ask every reachable member for its root; exit 0 only if all are equal',
  options: [
    { flags: '--wait <duration>', about: 'how long they may take to become equal', default: '0s', parse: parseDuration }
  ],
  run
}
