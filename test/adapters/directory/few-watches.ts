/** Run by watch.test.ts where the system gives two watches only: starts on a tree of ten directories and says how it went. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeWorld } from './world.js'

const root = process.argv[2]!
for (let i = 0; i < 10; i++) mkdirSync(join(root, `d${i}`))
const world = await makeWorld({ root })
await world.adapter.start()
const { entries } = await world.adapter.scan()
const warnings = world.log.filter((line) => line.level === 'warn').length
process.stdout.write(JSON.stringify({ complete: world.adapter.watchesComplete, warnings, entries: entries.size }))
await world.dispose()
