/** What `npm run build` leaves in `dist/`. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { REPOSITORY } from './golden/files.js'

const DIST = join(REPOSITORY, 'dist')
/** To measure coverage every module stays a file of its own, comments and all. */
const APART = process.env['NODE_V8_COVERAGE'] !== undefined

test(
  'the text of the program takes one byte a character in memory, and has no comments in it',
  { skip: APART && 'coverage is measured on another build' },
  () => {
    const programs = readdirSync(DIST).filter((name) => name.endsWith('.js'))
    assert.ok(programs.includes('main.js'))
    for (const name of programs) {
      const text = readFileSync(join(DIST, name), 'utf8')
      const wide = /.{0,40}[^\0-\xff].{0,20}/.exec(text)?.[0]
      assert.equal(wide, undefined, `${name} has a character that makes V8 keep all of it at two bytes each`)
      assert.ok(!/^\s*\* /m.test(text), `${name} has a comment in it`)
    }
  }
)
