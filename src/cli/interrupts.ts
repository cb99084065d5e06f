/** SIGINT and SIGTERM as one AbortSignal: the first asks for an orderly end, the second ends the process at once. */
const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const

/** Installs the handlers when it is first called; commands that never ask are simply ended by the signal. */
export function interruptsOf(process: NodeJS.Process): () => AbortSignal {
  let controller: AbortController | undefined
  return () => {
    if (controller) return controller.signal
    const asked = (controller = new AbortController())
    const handle = (name: NodeJS.Signals): void => {
      // 128 + n is what a shell reports for a process ended by signal n
      if (asked.signal.aborted) process.exit(128 + NUMBERS[name as keyof typeof NUMBERS])
      asked.abort()
    }
    process.on('SIGINT', handle)
    process.on('SIGTERM', handle)
    return asked.signal
  }
}
