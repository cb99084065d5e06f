/**
 * Our node beside the peers of another benchmark: one that keeps an adapter a peer in `adapters/`, prints a line of JSON a
 * workload, and is called `node bench.mjs --peer A,B --workload W1,W2`. It is copied, with our adapter among its own, so that
 * nothing is written where it lies.
 */
import { spawn } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Line } from './bench-result.js'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))

export interface PeersOptions {
  /** Where the other benchmark lies. */
  readonly harness: string
  /** Besides ours, by the names it has for them. */
  readonly peers: readonly string[]
  readonly workloads: readonly string[]
  /** Handed on as they are. */
  readonly flags: readonly string[]
}

/** Runs them one after the other; `line` is told each result as it comes. Throws when the other benchmark is not there. */
export async function besidePeers(options: PeersOptions, line: (line: Line) => void): Promise<void> {
  if (!existsSync(join(options.harness, 'bench.mjs')) || !existsSync(join(options.harness, 'adapters')))
    throw new Error(`${options.harness} holds no benchmark: bench.mjs and adapters/ are looked for there`)
  const copy = mkdtempSync(join(tmpdir(), 'grapevine-bench-peers-'))
  try {
    cpSync(options.harness, copy, { recursive: true })
    copyFileSync(join(REPOSITORY, 'scripts', 'bench-adapter.mjs'), join(copy, 'adapters', 'grapevine.mjs'))
    const peers = oursFor(options.workloads).concat(options.peers)
    const args = ['--peer', peers.join(','), '--workload', options.workloads.join(','), ...options.flags]
    await run(join(copy, 'bench.mjs'), args, line)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** A shared directory takes part in W7 alone. */
function oursFor(workloads: readonly string[]): string[] {
  if (!workloads.includes('W7')) return ['grapevine']
  return workloads.length === 1 ? ['grapevine:files'] : ['grapevine', 'grapevine:files']
}

function run(script: string, args: readonly string[], line: (line: Line) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, GRAPEVINE_ROOT: REPOSITORY }
    })
    createInterface({ input: child.stdout }).on('line', (text) => {
      if (text.startsWith('{')) line(JSON.parse(text) as Line)
      else process.stdout.write(`${text}\n`)
    })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`the other benchmark ended with ${code}`))
    })
  })
}
