/** The quick start of the README is run as it stands, with both machines on loopback. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { until } from './e2e/until.js'
import { referenceText, withReference } from '../scripts/reference.js'
import { REPOSITORY } from './golden/files.js'

const README = readFileSync(join(REPOSITORY, 'README.md'), 'utf8')
/** In a clone these are not there yet, and they are what the commands make. */
const MADE = new Set(['.git', '.grapevine', 'catalog', 'dist-test'])
const INSTALL = 'npm ci --ignore-scripts'

/** Lines of the shell blocks of one section. */
function commandsOf(section: string): string[] {
  const from = README.indexOf(`\n## ${section}`)
  const text = README.slice(from, README.indexOf('\n## ', from + 4))
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block]) => block!.trim().split('\n'))
}

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A machine: a directory that looks like a fresh clone, in which commands run. */
class Machine {
  readonly place = mkdtempSync(join(tmpdir(), 'gv-readme-'))
  readonly #children = new Set<ChildProcess>()

  constructor() {
    for (const name of readdirSync(REPOSITORY))
      if (!MADE.has(name)) symlinkSync(join(REPOSITORY, name), join(this.place, name))
  }

  /** Starts a command line. Every process of it is in one group, so that all of it can be ended. */
  #spawn(command: string): ChildProcess {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(GRAPEVINE_|NODE_OPTIONS|NODE_TEST|npm_)/.test(name)
    )
    const loopback = { GRAPEVINE_LISTEN: '/ip4/127.0.0.1/tcp/0', GRAPEVINE_MDNS: 'false' }
    const child = spawn('sh', ['-c', command], {
      cwd: this.place,
      env: { ...Object.fromEntries(inherited), ...loopback },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe']
    })
    this.#children.add(child)
    return child
  }

  run(command: string): Promise<Outcome> {
    const child = this.#spawn(command)
    const output = collect(child)
    return new Promise((resolve) => child.once('close', (code) => resolve({ code: code ?? -1, ...output })))
  }

  /** Runs what does not end by itself until it has said `what`. */
  async started(command: string, what: RegExp): Promise<Outcome> {
    const child = this.#spawn(command)
    const output = collect(child)
    await until(`"${command}" says ${String(what)}`, () => {
      if (child.exitCode !== null) throw new Error(`"${command}" ended: ${output.stdout}${output.stderr}`)
      return what.test(output.stdout)
    })
    return { code: 0, ...output }
  }

  async file(path: string): Promise<string> {
    return until(`${path} is there`, () => {
      try {
        return readFileSync(join(this.place, path), 'utf8')
      } catch {
        return undefined
      }
    })
  }

  async close(): Promise<void> {
    await this.run('node dist/main.js stop')
    for (const { pid, exitCode } of this.#children) {
      try {
        if (exitCode === null && pid !== undefined) process.kill(-pid, 'SIGKILL')
      } catch {
        // it has ended meanwhile
      }
    }
    rmSync(this.place, { recursive: true, force: true })
  }
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' }
  child.stdout!.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()))
  return output
}

/** Installing needs a registry and is what `.ci/run` does first; building here would take `dist/` from other tests. */
const withoutInstall = (command: string): string =>
  command.replace(`${INSTALL} && `, '').replace(/^npm run build$/, 'true')

describe('the quick start of the README', () => {
  const commands = commandsOf('Quick start: two nodes')
  let first: Machine
  let second: Machine

  before(() => {
    first = new Machine()
    second = new Machine()
  })

  after(async () => {
    await first.close()
    await second.close()
  })

  it('is these commands, in this order', () => {
    assert.deepEqual(commands, [
      `${INSTALL} && npm start`,
      'node dist/main.js invite',
      `${INSTALL} && npm run build`,
      'node dist/main.js join gv1-...',
      'npm start',
      'echo "hello" > catalog/hello.txt',
      'node dist/main.js verify --wait 30s',
      'node dist/main.js status'
    ])
  })

  it('makes two nodes that hold the same file', async () => {
    const [start, invite, build, join, startSecond, write, ...looks] = commands.map(withoutInstall)
    const { stdout: said } = await first.started(start!, /^grapevine: invite the next node with: /m)
    assert.equal(said.match(/^grapevine: /gm)?.length, 3, 'three lines say what was done')
    const invited = await first.run(invite!)
    assert.equal(invited.code, 0, invited.stderr)
    assert.match(invited.stdout, /^gv1-[\w-]+\n$/, 'the token alone')

    assert.equal((await second.run(build!)).code, 0)
    const joined = await second.run(join!.replace('gv1-...', invited.stdout.trim()))
    assert.equal(joined.code, 0, joined.stderr)
    await second.started(startSecond!, /^grapevine: running /m)

    assert.equal((await first.run(write!)).code, 0)
    assert.equal(await second.file('catalog/hello.txt'), 'hello\n')
    for (const look of looks) {
      const { code, stdout, stderr } = await second.run(look)
      assert.equal(code, 0, `${look}: ${stdout}${stderr}`)
    }
  })

  it('names only commands that exist, here and in the other sections', async () => {
    const scripts = Object.keys(
      (JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { scripts: object }).scripts
    )
    const named = [...README.matchAll(/npm run ([\w-]+)/g)].map(([, name]) => name!)
    for (const name of named) assert.ok(scripts.includes(name), `npm run ${name}`)
    const help = (await first.run('node dist/main.js --help')).stdout
    for (const [, name] of README.matchAll(/^grapevine ([a-z]+)/gm))
      assert.match(help, new RegExp(`^  ${name!}\\b`, 'm'), name)
  })
})

describe('the reference of the README', () => {
  it('is what the code says', () => {
    assert.ok(withReference(README, referenceText()) === README, 'write it anew with: npm run reference')
  })
})
