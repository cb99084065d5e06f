#!/usr/bin/env node
/** The executable: hands its arguments to cli/. */
import './polyfill.js'
import { main } from './cli/run.js'
import { reasonOf } from './errors.js'

/** A fault nobody expected: one sentence with its place, then the end, since nothing after it could be trusted. */
function fail(error: unknown): never {
  const where = error instanceof Error && error.stack ? `\n${error.stack}` : ''
  process.stderr.write(
    `grapevine: internal: something went wrong inside grapevine: ${reasonOf(error)}\n  next: report it with what follows${where}\n`
  )
  process.exit(1)
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
process.exit(await main(process))
