/** What nobody may find on a LAN: words planted in a catalog, keys and secrets of its nodes, and where each may lie. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { decodeToken } from '../src/wire/index.js'
import type { Node } from '../test/e2e/node.js'
import { Canaries, type Found } from './canaries.js'

export type Planted = 'file name' | 'small file' | 'large file' | 'member name' | 'cluster name'

export class LanSecrets {
  /** Keys, secrets and tokens. */
  readonly secrets = new Canaries()
  /** Words in the catalog, and names. */
  readonly words = new Canaries()
  readonly #run = randomBytes(6).toString('hex')
  /** The only places where a secret may lie, by its name: NODE/FILE of a home. */
  readonly #meant = new Map<string, RegExp>()

  /** A word to plant, the same for each kind, that nothing else contains. */
  word(kind: Planted): string {
    const word = `canary-${this.#run}-${kind.replace(' ', '-')}`
    this.words.add(kind, Buffer.from(word))
    return word
  }

  /** Takes note of a token and of the secrets in it. It may lie nowhere. */
  token(text: string): string {
    const { secret, clusterSecret } = decodeToken(text)
    this.#add('token', Buffer.from(text))
    this.#add('invitation secret', secret)
    this.#add('cluster secret', clusterSecret, /\/cluster\.secret$/)
    return text
  }

  /** Takes note of what the nodes hold at this moment in the files that are meant for secrets. */
  note(nodes: readonly Node[]): void {
    for (const { name, home } of nodes) {
      for (const file of ['node.key', 'node.key.next'])
        for (const key of linesOf(join(home, file)))
          this.#add(`key of ${name}`, key, new RegExp(`^${name}/node\\.key(\\.next)?$`))
      for (const key of linesOf(join(home, 'root.key'))) this.#add('root key', key, new RegExp(`^${name}/root\\.key$`))
      for (const secret of linesOf(join(home, 'cluster.secret')))
        this.#add('cluster secret', secret, /\/cluster\.secret$/)
    }
  }

  #add(kind: string, bytes: Uint8Array, meant = /^$/): void {
    if (this.secrets.has(bytes)) return
    const what = `${kind} (${this.secrets.count + 1})`
    this.secrets.add(what, bytes)
    this.#meant.set(what, meant)
  }

  /** Secrets in files of the homes where they are not meant to be. */
  inHomes(nodes: readonly Node[]): { files: number; bytes: number; found: Found[]; inPlace: number } {
    const seen = { files: 0, bytes: 0, found: [] as Found[], inPlace: 0 }
    for (const { name, home } of nodes)
      for (const file of filesIn(home)) {
        const hay = readFileSync(join(home, file))
        seen.files++
        seen.bytes += hay.length
        for (const { what, count } of this.secrets.search(hay)) {
          if (this.#meant.get(what)!.test(`${name}/${file}`)) seen.inPlace += count
          else seen.found.push({ what: `${what} in ${file} of ${name}`, count })
        }
      }
    return seen
  }

  /** Secrets in the arguments and the environment of running daemons. */
  inProcesses(nodes: readonly Node[]): Found[] {
    return nodes.flatMap(({ name, pid }) =>
      ['cmdline', 'environ'].flatMap((file) =>
        this.secrets
          .search(readFileSync(`/proc/${pid}/${file}`))
          .map(({ what, count }) => ({ what: `${what} in the ${file} of ${name}`, count }))
      )
    )
  }
}

/** Secrets of a file that holds one a line in hexadecimal; none when there is no file. */
function linesOf(path: string): Buffer[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Buffer.from(line, 'hex'))
}

export function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
}
