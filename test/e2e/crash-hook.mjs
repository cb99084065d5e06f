/**
 * Loaded into a daemon before anything else (`--import`): numbers every change the process makes to its files through
 * Node, and kills or pauses it there. Plain JavaScript, because it runs in the built program. LevelDB's own writes are
 * native and not numbered; all it holds is derived, or written durably by a call that is seen from outside.
 *
 * `CRASH_AT`: `N:before`, `N:torn` (half of a write; as `after` for what is no write) or `N:after`: dies there.
 * `CRASH_COUNT`: a file that gets the number of operations when the process ends by itself.
 * `CRASH_PAUSE`: says `N SIDE` on descriptor 3 at each side of each operation, and stands still until it is answered.
 * `CRASH_ONE_DEVICE`: all files seem to lie on one device. A snapshot keeps the inodes and has another device number,
 * which no killed process ever finds when it comes back.
 */
import fs, { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** Descriptor of the line to whoever makes us stand still. */
const PAUSE_FD = 3

/**
 * Calls `reached(number, side)` at each side of each operation, in the middle of a write only if `tears(number)`. Both are
 * looked up at each call, so that one process can be numbered again and again.
 */
export async function numberOperations(crash) {
  const handle = await promises.open('/dev/null')
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  const count = (owner, name, options) => wrap(crash, owner, name, options)
  count(prototype, 'write', { tear: tearWrite })
  count(prototype, 'writeFile', { tear: tearHandle })
  for (const name of ['appendFile', 'writev', 'sync', 'datasync', 'truncate', 'chmod', 'chown', 'utimes'])
    count(prototype, name)
  count(promises, 'open', { when: creates })
  count(promises, 'writeFile', { tear: tearFile })
  const names = ['appendFile', 'rename', 'link', 'symlink', 'unlink', 'rm', 'rmdir', 'mkdir', 'truncate', 'copyFile']
  for (const name of [...names, 'chmod', 'utimes']) count(promises, name)
  syncBuiltinESMExports()
}

/** Numbers the calls of `owner[name]` that change something; `tear` does one in two halves, `middle` between them. */
function wrap(crash, owner, name, { when = () => true, tear } = {}) {
  const original = owner[name]
  owner[name] = async function (...args) {
    if (!when(...args)) return original.apply(this, args)
    const number = ++crash.operations
    crash.reached(number, 'before')
    const middle = () => crash.reached(number, 'torn')
    try {
      if (tear !== undefined && crash.tears(number)) return await tear.call(this, original, args, middle)
      const result = await original.apply(this, args)
      if (tear === undefined) middle()
      return result
    } finally {
      // what failed has an end too
      crash.reached(number, 'after')
    }
  }
}

/** `write(buffer, offset, length, position)` in two halves. */
async function tearWrite(original, [buffer, offset = 0, length = buffer.length - offset, position = null], middle) {
  const first = await original.call(this, buffer, offset, length >> 1, position)
  middle()
  const done = first.bytesWritten
  const from = position === null ? null : position + done
  const second = await original.call(this, buffer, offset + done, length - done, from)
  return { ...second, bytesWritten: done + second.bytesWritten }
}

/** A handle's `writeFile(data, options)` in two halves: each goes on where the handle stands. */
async function tearHandle(original, [data, ...rest], middle) {
  const bytes = Buffer.from(data)
  await original.call(this, bytes.subarray(0, bytes.length >> 1), ...rest)
  middle()
  await original.call(this, bytes.subarray(bytes.length >> 1), ...rest)
}

/** `writeFile(path, data, options)` in two halves. */
async function tearFile(original, [path, data, ...rest], middle) {
  const bytes = Buffer.from(data)
  await original.call(this, path, bytes.subarray(0, bytes.length >> 1), ...rest)
  middle()
  fs.appendFileSync(path, bytes.subarray(bytes.length >> 1))
}

const creates = (_path, flags = 'r') =>
  typeof flags === 'number' ? (flags & fs.constants.O_CREAT) !== 0 : /[wa]/.test(flags)

/** See CRASH_ONE_DEVICE. */
export async function seemOneDevice() {
  const handle = await promises.open('/dev/null')
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  for (const [owner, name] of [
    [prototype, 'stat'],
    [promises, 'stat'],
    [promises, 'lstat']
  ]) {
    const original = owner[name]
    owner[name] = async function (...args) {
      const stat = await original.apply(this, args)
      stat.dev = typeof stat.dev === 'bigint' ? 1n : 1
      return stat
    }
  }
  syncBuiltinESMExports()
}

/** The process ends here: nothing after it may run, so the thread is stopped until the signal arrives. */
function die() {
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** Stands still, with all that this thread does, until somebody answers. */
function pause(number, side) {
  fs.writeSync(PAUSE_FD, `${number} ${side}\n`)
  // nobody is there any more: going on would change files behind the back of whoever looks at them
  if (fs.readSync(PAUSE_FD, Buffer.alloc(1)) === 0) die()
}

function asEnvironmentSays({ CRASH_AT, CRASH_COUNT, CRASH_PAUSE }) {
  const [at, wanted] = (CRASH_AT ?? '0:before').split(':')
  const crash = {
    operations: 0,
    tears: (number) => CRASH_PAUSE !== undefined || (wanted === 'torn' && number === Number(at)),
    reached: (number, side) => {
      if (CRASH_PAUSE !== undefined) pause(number, side)
      else if (number === Number(at) && side === wanted) die()
    }
  }
  if (CRASH_COUNT !== undefined) process.once('exit', () => fs.writeFileSync(CRASH_COUNT, String(crash.operations)))
  return crash
}

// helpers the daemon starts inherit the environment; only the daemon itself is numbered
if (process.argv.includes('start')) {
  if (process.env.CRASH_ONE_DEVICE !== undefined) await seemOneDevice()
  if (['CRASH_AT', 'CRASH_COUNT', 'CRASH_PAUSE'].some((name) => process.env[name] !== undefined))
    await numberOperations(asEnvironmentSays(process.env))
}
