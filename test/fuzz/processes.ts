/** Runs targets in processes of their own, one after the other. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Result } from './run.js'

const CHILD = fileURLToPath(import.meta.url).replace(/processes\.(ts|js)$/, 'child.$1')

/** Rejects when the process ends without a result, with what it said. */
export function runInProcess(
  name: string,
  inputs: number,
  seed: number,
  progress: (done: number) => void = () => undefined
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const loader = CHILD.endsWith('.ts') ? ['--import', 'tsx'] : []
    const child = fork(CHILD, [name, String(inputs), String(seed)], {
      execArgv: ['--expose-gc', '--enable-source-maps', ...loader],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    let said = ''
    let result: Result | undefined
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-10_000)))
    child.on('message', (message: { done?: number; result?: Result }) => {
      if (message.done !== undefined) progress(message.done)
      result ??= message.result
    })
    // a process may be gone before its last message is here
    const heard = once(child, 'disconnect')
    child.on('exit', (code, signal) => {
      void heard.then(() => {
        if (result !== undefined) resolve(result)
        else reject(new Error(`${name}: the process ended with ${code ?? signal}\n${said}`))
      })
    })
  })
}
