/** For commands that work on a home nobody else works on. */
import { GrapevineError } from '../errors.js'
import type { Context } from './context.js'
import { daemonAnswers } from './reading.js'
import { shellWord } from './terminal.js'

/** Throws `home-locked` with what to do when a daemon runs on this home. */
export async function mustBeStopped(context: Context, command: string): Promise<void> {
  const home = context.givenHome === undefined ? '' : ` --home ${shellWord(context.givenHome)}`
  const answers = await daemonAnswers(context).catch((error: unknown) => {
    if (error instanceof GrapevineError && error.code === 'home-missing') return false
    throw error
  })
  if (!answers) return
  throw new GrapevineError('home-locked', `a daemon runs on ${context.home}; this works on a stopped home only`, {
    next: `run \`${context.program} stop${home}\`, then \`${context.program} ${command}${home}\` again, then start it`,
    facts: { home: context.home }
  })
}
