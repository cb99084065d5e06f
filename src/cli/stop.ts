/** `grapevine stop`: asks the daemon to stop and waits until it is gone. */
import { readFileSync } from 'node:fs'
import { GrapevineError, isErrno } from '../errors.js'
import { durationText, parseDuration } from './duration.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { daemonAnswers } from './reading.js'

export interface StopOptions {
  /** Milliseconds. */
  timeout: number
}

/** How often the process is looked for: it is not a child of ours, so nobody tells us. */
const POLL_MS = 20

export async function run(options: StopOptions, context: Context): Promise<void> {
  const { pid } = await context.daemon.daemon()
  await context.daemon.shutdown().catch((error: unknown) => {
    // a daemon that is quick to go may be gone before its answer is; whether it is gone is checked next
    if (!(error instanceof GrapevineError && error.code === 'daemon-unreachable')) throw error
  })
  context.daemon.close()
  const deadline = performance.now() + options.timeout
  while (isAlive(pid) || (await daemonAnswers(context))) {
    if (performance.now() > deadline) throw stillThere(pid, options.timeout)
    await new Promise((done) => setTimeout(done, POLL_MS))
  }
  await print(context, { stopped: true, pid }, () => `stopped ${pid}\n`)
}

/** A process of another user under this number cannot be our daemon; a dead one that nobody has reaped is gone too. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return !isErrno(error, 'ESRCH', 'EPERM')
  }
  try {
    return !/^\d+ \([^]*\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    // no /proc here: the signal's answer stands, and the next round sees a process that went in between
    return true
  }
}

function stillThere(pid: number, timeoutMs: number): GrapevineError {
  return new GrapevineError(
    'home-locked',
    `the daemon (process ${pid}) was asked to stop but still runs after ${durationText(timeoutMs)}`,
    {
      next: `wait longer with --timeout, or end it with \`kill ${pid}\``,
      facts: { pid }
    }
  )
}

export const definition: CommandDefinition = {
  name: 'stop',
  about: 'stop the daemon and wait until it is gone',
  options: [{ flags: '--timeout <duration>', about: 'how long to wait', default: '60s', parse: parseDuration }],
  run
}
