/**
 * Makes calls for files fail on demand: in this process, or loaded into a daemon before anything else (`--import`).
 * Plain JavaScript, because it runs in the built program as well.
 *
 * A rule is `{ op, path, code, skip, times }`: `op` and `path` are regular expressions as text, `skip` calls that match
 * still succeed, then `times` of them fail. In a daemon the rules come from the file named by `FAULTS_FILE`, looked at
 * before each call; what failed is written behind one another to that name with `.hits`. LevelDB's own calls are native
 * and not seen.
 */
import fs, { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const original = { statSync: fs.statSync, readFileSync: fs.readFileSync, readlinkSync: fs.readlinkSync }
const appendSync = fs.appendFileSync
const paths = new WeakMap()
const file = process.env.FAULTS_FILE
let rules = []
let seen = 0n
let watcher = undefined

export function setRules(list) {
  rules = list.map((rule) => ({
    op: new RegExp(`^(${rule.op ?? '.*'})$`),
    path: new RegExp(rule.path ?? ''),
    code: rule.code ?? 'EIO',
    skip: rule.skip ?? 0,
    left: rule.times ?? Infinity
  }))
}

/** Told of every call, as `op path`; undefined: nobody listens. */
export function onCall(listener) {
  watcher = listener
}

function reload() {
  const found = original.statSync(file, { bigint: true, throwIfNoEntry: false })
  const stamp = found === undefined ? 0n : found.ino ^ found.mtimeNs
  if (stamp === seen) return
  seen = stamp
  setRules(found === undefined ? [] : JSON.parse(original.readFileSync(file, 'utf8')))
}

/** Below an open directory files are named by its descriptor. */
function resolved(path) {
  const within = /^\/proc\/self\/fd\/(\d+)(.*)$/s.exec(path)
  if (within === null) return path
  try {
    return original.readlinkSync(`/proc/self/fd/${within[1]}`) + within[2]
  } catch {
    return path
  }
}

/** Throws when a rule says so. */
function check(op, at) {
  if (file !== undefined) reload()
  if (rules.length === 0 && watcher === undefined) return
  const path = resolved(String(at))
  watcher?.(`${op} ${path}`)
  for (const rule of rules) {
    if (rule.left === 0 || !rule.op.test(op) || !rule.path.test(path)) continue
    if (rule.skip-- > 0) continue
    rule.left -= 1
    if (file !== undefined) appendSync(`${file}.hits`, `${op} ${path}\n`)
    throw Object.assign(new Error(`${rule.code}: injected, ${op} '${path}'`), { code: rule.code, syscall: op, path })
  }
}

function guard(owner, name, op = () => name) {
  const call = owner[name]
  owner[name] = async function (...args) {
    check(op(...args), args[0])
    return call.apply(this, args)
  }
}

function guardSync(owner, name) {
  const call = owner[name]
  owner[name] = function (...args) {
    check(name, typeof args[0] === 'number' ? `/proc/self/fd/${args[0]}` : args[0])
    return call.apply(this, args)
  }
}

function guardHandle(prototype, name) {
  const call = prototype[name]
  prototype[name] = async function (...args) {
    const path = paths.get(this) ?? ''
    // what is closed is closed, whatever it says
    if (name === 'close') await call.apply(this, args)
    check(name === 'datasync' ? 'sync' : name, path)
    return name === 'close' ? undefined : call.apply(this, args)
  }
}

const creates = (_path, flags = 'r') =>
  (typeof flags === 'number' ? (flags & fs.constants.O_CREAT) !== 0 : /[wa]/.test(flags)) ? 'create' : 'open'

const CHANGES = ['writeFile', 'appendFile', 'rename', 'link', 'symlink', 'unlink', 'rm', 'rmdir', 'mkdir', 'mkdtemp']
const MORE_CHANGES = ['truncate', 'copyFile', 'chmod', 'utimes']
const LOOKS = ['readFile', 'readdir', 'stat', 'lstat', 'readlink', 'realpath', 'access', 'statfs']
const OF_HANDLES = ['write', 'writev', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate', 'chmod', 'chown']
const MORE_OF_HANDLES = ['utimes', 'read', 'readFile', 'stat', 'close']

async function install() {
  const handle = await promises.open('/dev/null')
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  for (const name of [...OF_HANDLES, ...MORE_OF_HANDLES]) guardHandle(prototype, name)
  for (const name of [...CHANGES, ...MORE_CHANGES, ...LOOKS]) guard(promises, name)
  guard(promises, 'open', creates)
  const opened = promises.open
  promises.open = async function (path, ...rest) {
    const made = await opened.call(this, path, ...rest)
    paths.set(made, resolved(String(path)))
    return made
  }
  for (const name of ['readSync', 'readFileSync', 'watch']) guardSync(fs, name)
  syncBuiltinESMExports()
}

// helpers the daemon starts inherit the environment; only the daemon itself is harmed
if (file === undefined || process.argv.includes('start')) await install()
