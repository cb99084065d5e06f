/**
 * Loaded into a daemon before anything else (`--import`): numbers every change the process makes to its files through
 * Node, and kills it at the one asked for. Plain JavaScript, because it runs in the built program. LevelDB's own writes
 * are native and not seen; all it holds is derived, or written durably by a call that is seen from outside.
 *
 * `CRASH_AT`: `N:before`, `N:torn` (half of a write; as `after` for what is no write) or `N:after`.
 * `CRASH_COUNT`: a file that gets the number of operations when the process ends by itself.
 */
import fs, { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const [at, side] = (process.env.CRASH_AT ?? '0:before').split(':')
const target = Number(at)
let operations = 0

/** The process ends here: nothing after it may run, so the thread is stopped until the signal arrives. */
function die() {
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** Counts calls of `owner[name]` that change something; `tear` does half of one. */
function count(owner, name, { when = () => true, tear } = {}) {
  const original = owner[name]
  owner[name] = async function (...args) {
    if (!when(...args)) return original.apply(this, args)
    operations += 1
    const hit = operations === target
    if (hit && side === 'before') die()
    if (hit && side === 'torn' && tear !== undefined) {
      await tear.call(this, original, args)
      die()
    }
    const result = await original.apply(this, args)
    if (hit) die()
    return result
  }
}

/** As text or bytes, its first half. */
const half = (data) => {
  const bytes = Buffer.from(data)
  return bytes.subarray(0, bytes.length >> 1)
}

/** Half of `write(buffer, offset, length, position)`. */
function tearWrite(original, [buffer, offset = 0, length = buffer.length - offset, position = null]) {
  return original.call(this, buffer, offset, length >> 1, position)
}

/** Half of a handle's `writeFile(data, options)`. */
function tearHandle(original, [data, ...rest]) {
  return original.call(this, half(data), ...rest)
}

/** Half of `writeFile(path, data, options)`. */
function tearFile(original, [path, data, ...rest]) {
  return original.call(this, path, half(data), ...rest)
}

const creates = (_path, flags = 'r') =>
  typeof flags === 'number' ? (flags & fs.constants.O_CREAT) !== 0 : /[wa]/.test(flags)

async function install() {
  const handle = await promises.open('/dev/null')
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  count(prototype, 'write', { tear: tearWrite })
  count(prototype, 'writeFile', { tear: tearHandle })
  for (const name of ['appendFile', 'writev', 'sync', 'datasync', 'truncate', 'chmod', 'chown', 'utimes'])
    count(prototype, name)
  count(promises, 'open', { when: creates })
  count(promises, 'writeFile', { tear: tearFile })
  const names = ['appendFile', 'rename', 'link', 'symlink', 'unlink', 'rm', 'rmdir', 'mkdir', 'truncate', 'copyFile']
  for (const name of [...names, 'chmod', 'utimes']) count(promises, name)
  syncBuiltinESMExports()
  const file = process.env.CRASH_COUNT
  if (file !== undefined) process.once('exit', () => fs.writeFileSync(file, String(operations)))
}

// helpers the daemon starts inherit the environment; only the daemon itself is numbered
if (process.argv.includes('start')) await install()
