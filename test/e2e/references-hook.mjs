/**
 * Which references of a data directory lead nowhere, looked at after every single change. Loaded into a daemon before
 * anything else (`--import`) it watches every change the process makes below `REFERENCES_DIR` and writes a line to
 * `REFERENCES_LOG` whenever that set becomes another: `{ at, writes, path, was, broke, mended }` (`was`: the id that the
 * object there had), and with an end the number of
 * all changes. Plain JavaScript, because it runs in the built program, and with eyes of its own: it shares nothing with the
 * adapter, so that one mistake cannot hide the other.
 */
import fs, { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join, relative } from 'node:path'

const OBJECT =
  /^(workspaces\/[^/]+\/(workspace|namespace|settings)\.xml|workspaces\/[^/]+\/[^/]+\/(datastore|coveragestore|wmsstore|wmtsstore)\.xml|workspaces\/[^/]+\/[^/]+\/[^/]+\/(featuretype|coverage|wmslayer|wmtslayer|layer)\.xml|(workspaces\/[^/]+\/)?(styles|layergroups)\/[^/]+\.xml)$/
const BODY = /^(workspaces\/[^/]+\/)?styles\/[^/]+$/
const TAG = /<!--[^]*?-->|<\?[^]*?\?>|<!\[CDATA\[[^]*?\]\]>|<(\/?)([\w:.-]+)(?:\s[^>]*?)?(\/?)>/g

/** Own id, ids referred to and the name of a style's body, by walking over the tags. */
export function readObject(text) {
  const found = { own: undefined, refers: [], body: undefined }
  let depth = 0
  let opened = 0
  for (const { 0: tag, 1: closes, 2: name, 3: empty, index } of text.matchAll(TAG)) {
    if (name === undefined) continue
    if (closes === '/') {
      depth--
      const content = text.slice(opened, index).trim()
      if (content === '' || content.includes('<')) continue
      if (name === 'id' && depth === 1) found.own = content
      else if (name === 'id') found.refers.push(content)
      else if (name === 'filename' && depth === 1) found.body = content
    } else if (empty !== '/') {
      depth++
      opened = index + tag.length
    }
  }
  return found
}

export class References {
  #objects = new Map()
  #bodies = new Set()
  /** Id -> how many objects have it. */
  #owned = new Map()
  /** Id or `path` of a body -> paths of what needs it. */
  #needed = new Map()
  /** `PATH -> WHAT` of each that leads nowhere. */
  broken = new Set()

  ownId(path) {
    return this.#objects.get(path)?.own
  }

  owner(id) {
    for (const [path, object] of this.#objects) if (object.own === id) return path
    return undefined
  }

  get size() {
    return this.#objects.size
  }

  get references() {
    return [...this.#objects.values()].reduce((sum, { refers }) => sum + refers.length, 0)
  }

  /** What a path holds now; undefined: nothing. */
  set(path, text) {
    if (BODY.test(path)) this.#setBody(path, text !== undefined)
    if (!OBJECT.test(path)) return
    const before = this.#objects.get(path)
    if (before !== undefined) this.#take(path, before)
    if (text === undefined) return
    const object = readObject(text)
    const style = /(^|\/)styles\/[^/]+$/.test(path)
    this.#objects.set(path, object)
    if (object.own !== undefined) this.#own(object.own, 1)
    for (const what of needs(path, object, style)) {
      if (!this.#needed.has(what)) this.#needed.set(what, new Set())
      this.#needed.get(what).add(path)
      this.#look(what)
    }
  }

  paths() {
    return [...this.#objects.keys(), ...this.#bodies]
  }

  #setBody(path, is) {
    if (is) this.#bodies.add(path)
    else this.#bodies.delete(path)
    this.#look(`file ${path}`)
  }

  #take(path, object) {
    this.#objects.delete(path)
    for (const what of needs(path, object, true)) {
      this.#needed.get(what)?.delete(path)
      this.broken.delete(`${path} -> ${what}`)
    }
    if (object.own !== undefined) this.#own(object.own, -1)
  }

  #own(id, by) {
    this.#owned.set(id, (this.#owned.get(id) ?? 0) + by)
    this.#look(id)
  }

  #look(what) {
    const is = what.startsWith('file ') ? this.#bodies.has(what.slice(5)) : (this.#owned.get(what) ?? 0) > 0
    for (const path of this.#needed.get(what) ?? []) {
      if (is) this.broken.delete(`${path} -> ${what}`)
      else this.broken.add(`${path} -> ${what}`)
    }
  }
}

function needs(path, { refers, body }, style) {
  return style && body !== undefined ? [...refers, `file ${join(dirname(path), body)}`] : refers
}

const SKIPPED = /^(logs|gwc|legendsamples|security|temp|tmp)(\/|$)|\.tmp$/

/** All files below a directory. */
export function filesBelow(root, below = '') {
  const found = []
  for (const entry of fs.readdirSync(join(root, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (SKIPPED.test(path)) continue
    if (entry.isDirectory()) found.push(...filesBelow(root, path))
    else if (entry.isFile()) found.push(path)
  }
  return found
}

export function textAt(root, path) {
  try {
    return fs.statSync(join(root, path)).isFile() ? fs.readFileSync(join(root, path), 'utf8') : undefined
  } catch {
    return undefined
  }
}

// --- in a daemon ------------------------------------------------------------------------------------------------------

function watch(root, log) {
  const state = new References()
  for (const path of filesBelow(root)) state.set(path, textAt(root, path))
  let writes = 0
  let before = new Set(state.broken)
  const resolved = (place) => {
    const within = /^\/proc\/self\/fd\/(\d+)(.*)$/s.exec(String(place))
    if (within === null) return String(place)
    try {
      return fs.readlinkSync(`/proc/self/fd/${within[1]}`) + within[2]
    } catch {
      return ''
    }
  }
  const look = (place) => {
    const path = relative(root, place)
    if (path === '' || path.startsWith('..') || SKIPPED.test(path)) return undefined
    const was = state.ownId(path)
    const isDirectory = fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() === true
    const inside = state.paths().filter((other) => other === path || other.startsWith(`${path}/`))
    for (const other of [...inside, ...(isDirectory ? filesBelow(root, path) : [path])])
      state.set(other, textAt(root, other))
    return { path, was }
  }
  /** One call may touch two places: a renamed directory takes along what is broken in it. */
  const lookAt = (places) => {
    const seen = places.flatMap((place) => look(place) ?? [])
    if (seen.length === 0) return
    writes++
    const { path, was } = seen.at(-1)
    const broke = [...state.broken].filter((each) => !before.has(each))
    const mended = [...before].filter((each) => !state.broken.has(each))
    if (broke.length + mended.length === 0) return
    before = new Set(state.broken)
    fs.appendFileSync(log, `${JSON.stringify({ at: Date.now(), writes, path, was, broke, mended })}\n`)
  }
  for (const name of ['rename', 'link', 'unlink', 'rm', 'rmdir', 'mkdir', 'writeFile', 'copyFile', 'truncate']) {
    const original = promises[name]
    promises[name] = async function (...args) {
      // a descriptor may be closed by the time the call is done
      const places = args.slice(0, 2).flatMap((arg) => (typeof arg === 'string' ? [resolved(arg)] : []))
      try {
        return await original.apply(this, args)
      } finally {
        lookAt(places.filter((place) => place !== ''))
      }
    }
  }
  syncBuiltinESMExports()
  process.once('exit', () =>
    fs.appendFileSync(log, `${JSON.stringify({ at: Date.now(), writes, broke: [], mended: [] })}\n`)
  )
}

const { REFERENCES_DIR, REFERENCES_LOG } = process.env
// helpers the daemon starts inherit the environment
if (REFERENCES_LOG !== undefined && process.argv.includes('start'))
  watch(fs.realpathSync(REFERENCES_DIR), REFERENCES_LOG)
