/** Makes a directory a symlink to another and back, as fast as it can, until it is told that it is enough. */
import { renameSync, symlinkSync, unlinkSync } from 'node:fs'

const [directory, outside, aside] = process.argv.slice(2) as [string, string, string]
let on = true

process.on('message', () => (on = false))

function swap(): void {
  if (!on) return process.disconnect()
  renameSync(directory, aside)
  symlinkSync(outside, directory)
  // long enough that somebody walks into it, short enough that somebody is caught in between
  for (const until = performance.now() + Math.random() * 2; performance.now() < until;);
  unlinkSync(directory)
  renameSync(aside, directory)
  setTimeout(swap, Math.random() * 5)
}

swap()
process.send!('begun')
