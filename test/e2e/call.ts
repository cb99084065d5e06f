/** Programs of the system that either do what they are called for or end the caller. */
import { execFileSync } from 'node:child_process'

/** Throws, with what the program said, when it fails. */
export function call(command: string, ...args: string[]): void {
  try {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    const said = (error as { stderr?: Buffer }).stderr?.toString().trim() ?? ''
    throw new Error(`${command} ${args.join(' ')} failed: ${said}`, { cause: error })
  }
}
