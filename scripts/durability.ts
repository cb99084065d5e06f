/**
 * Everything that shows that what is acknowledged is kept, one after the other. What needs root or a Debian package
 * installs it when it may and says what it skips when it may not.
 *
 *   npm run durability -- [--quick]
 *
 * `--quick` takes a sample of each, some minutes together; the whole takes hours. Ends with 1 when any of them fails.
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { buildIfNeeded, REPOSITORY } from './build.mjs'

interface Tool {
  readonly script: string
  readonly quick: readonly string[]
  readonly whole: readonly string[]
}

const TOOLS: readonly Tool[] = [
  { script: 'crash-points', quick: ['--stride', '400'], whole: [] },
  { script: 'power-cut', quick: ['--cuts', '20'], whole: ['--cuts', '300'] },
  { script: 'corruption', quick: ['--positions', '1'], whole: ['--positions', '20'] },
  { script: 'faults', quick: ['--step', '10'], whole: [] },
  { script: 'clones', quick: [], whole: [] },
  { script: 'catches', quick: [], whole: [] }
]

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
if (!buildIfNeeded()) process.exit(1)
if (process.platform !== 'linux') process.stdout.write('power cuts, limits and mounts need Linux: they are skipped\n')
else if (process.geteuid?.() !== 0) process.stdout.write('not root: power cuts, mounts and packages are skipped\n')
const results = TOOLS.filter(({ script }) => !values.quick || script !== 'catches').map(({ script, quick, whole }) => {
  const args = values.quick ? quick : whole
  process.stdout.write(`\n> npm run ${script} -- ${args.join(' ')}\n`)
  const { status } = spawnSync('npm', ['run', '--silent', script, '--', ...args], { cwd: REPOSITORY, stdio: 'inherit' })
  return { script, ok: status === 0 }
})
process.stdout.write('\n')
for (const { script, ok } of results) process.stdout.write(`${ok ? 'ok    ' : 'FAILED'}  ${script}\n`)
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1
