/** `grapevine start`: runs the daemon in the foreground. On a home without node it makes one first. */
import { mkdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { writeWhole } from '../durable.js'
import { CONFIG_FILE, loadConfig, readConfigFile, SETTING_NAMES, type Config } from '../config.js'
import { jsonText } from '../control/json.js'
import { checkPrivateDirectory, homeLocked } from '../control/socket.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import type { Lifecycle, RunningNode } from './lifecycle.js'
import { daemonAnswers } from './reading.js'
import { configOptions, flagsOf } from './settings.js'
import { safe, shellWord } from './terminal.js'

export type StartOptions = Readonly<Record<string, unknown>>

export async function run(options: StartOptions, context: Context): Promise<void> {
  const { home, cwd, env } = context
  const config = await loadConfig({ home, cwd, env, flags: flagsOf(options) })
  const logger = await context.logger(config.logLevel)
  const lifecycle = await context.lifecycle()
  // asked before anything is opened: the plain answer beats whatever lock the node would run into
  if ((await homeExists(home)) && (await daemonAnswers(context))) throw homeLocked(home)
  const interrupted = context.interrupts()
  const made = await makeHomeIfMissing(lifecycle, config)
  await mkdir(config.dir, { recursive: true })
  const node = await lifecycle.startNode(config, { logger })
  try {
    const served = await context.serve(node.control, { home, logger })
    try {
      await rememberDir(config)
      await announce(node, made, config, context)
      await runUntilStopped(node, interrupted)
    } finally {
      await served.stop()
    }
  } finally {
    await node.stop()
  }
}

async function homeExists(home: string): Promise<boolean> {
  try {
    await checkPrivateDirectory(home)
    return true
  } catch (error) {
    if (error instanceof GrapevineError && error.code === 'home-missing') return false
    throw error
  }
}

/** Resolves with what was made, or undefined when the home holds a node already. */
async function makeHomeIfMissing(
  lifecycle: Lifecycle,
  config: Config
): Promise<{ node: string; clusterName: string } | undefined> {
  try {
    return await lifecycle.initHome({ home: config.home, nodeName: config.name })
  } catch (error) {
    if (error instanceof GrapevineError && (error.code === 'home-exists' || error.code === 'already-member'))
      return undefined
    throw error
  }
}

/**
 * Writes the shared directory into the file when nothing is written there yet: a later start from another working
 * directory must not share a ./catalog that happens to be there.
 */
async function rememberDir(config: Config): Promise<void> {
  const file = await readConfigFile(config.home)
  if (file.dir !== undefined) return
  // a power cut soon after must leave neither an empty file, with which no daemon starts, nor none at all
  await writeWhole(join(config.home, CONFIG_FILE), `${JSON.stringify({ ...file, dir: config.dir }, null, 2)}\n`)
}

/** The `running` line is what scripts wait for; on first use it stands between what was done and what to do next. */
async function announce(
  node: RunningNode,
  made: { clusterName: string } | undefined,
  config: Config,
  context: Context
): Promise<void> {
  const facts = { node: node.node, listen: node.multiaddrs, dir: config.dir, home: config.home }
  if (context.json) {
    await context.out.write(`${jsonText({ event: 'running', ...facts, made: made !== undefined })}\n`)
    return
  }
  const home = context.givenHome === undefined ? '' : ` --home ${shellWord(context.givenHome)}`
  const where = relative(context.cwd, config.home) || '.'
  if (made)
    await context.out.write(
      `grapevine: made a node key and the cluster "${safe(made.clusterName)}" in ${safe(where)}\n`
    )
  await context.out.write(
    `grapevine: running node=${node.node} listen=${node.multiaddrs.join(',')} shares=${safe(config.dir)}\n`
  )
  if (made) await context.out.write(`grapevine: invite the next node with: ${context.program} invite${home}\n`)
}

/** Resolves after an orderly stop that a signal or `grapevine stop` asked for; rejects when the node failed. */
async function runUntilStopped(node: RunningNode, interrupted: AbortSignal): Promise<void> {
  const signalled = new Promise<void>((done) => {
    if (interrupted.aborted) done()
    interrupted.addEventListener('abort', () => done(), { once: true })
  })
  await Promise.race([node.stopped, signalled])
  await node.stop()
  await node.stopped
}

export const definition: CommandDefinition = {
  name: 'start',
  about: 'run the daemon in the foreground; makes a node and a cluster on first use',
  options: configOptions(SETTING_NAMES),
  run
}
