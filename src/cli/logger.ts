/** The daemon's log: one JSON object a line on stderr. */
import { pino } from 'pino'
import { harmless } from '../control/json.js'
import { isErrno } from '../errors.js'
import type { Facts, Logger } from '../runtime.js'

export function createLogger(level: string, stderr = 2): Logger {
  // written at once: the last lines before a crash are the ones that matter
  const destination = pino.destination({ fd: stderr, sync: true })
  destination.on('error', (error: unknown) => {
    // nobody reads the log any more; that is no reason to stop sharing
    if (!isErrno(error, 'EPIPE', 'EAGAIN')) throw error
  })
  const sink = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // names and reasons come from others, and whoever reads the log sits at a terminal
      hooks: { streamWrite: harmless }
    },
    destination
  )
  const at = (name: 'debug' | 'info' | 'warn' | 'error') => (message: string, facts?: Facts) =>
    sink[name](facts ?? {}, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
