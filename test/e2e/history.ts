/** Plays the recorded history of a real data directory into a node's directory, the way its server writes. */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface Step {
  readonly step: number
  readonly of: number
  /** Tree hash of the directory after this step. */
  readonly tree: string
  /** Path and SHA-256 of the content. */
  readonly put: ReadonlyArray<readonly [string, string]>
  readonly del: readonly string[]
}

/** `plain` overwrites files in place; `geoserver` makes them empty, then renames a temporary file over them. */
export type Writing = 'plain' | 'geoserver'

export class History {
  readonly steps: readonly Step[]
  readonly #folder: string
  /** Path -> SHA-256 after the steps played so far. */
  readonly #state = new Map<string, string>()

  constructor(folder: string) {
    this.#folder = folder
    const lines = readFileSync(join(folder, 'steps.jsonl'), 'utf8').trimEnd().split('\n')
    this.steps = lines.map((line) => JSON.parse(line) as Step)
  }

  content(hash: string): Buffer {
    return readFileSync(join(this.#folder, 'blobs', hash))
  }

  /** Writes what the directory holds after the first `count` steps; returns the steps that are left. */
  begin(dir: string, count: number): readonly Step[] {
    for (const step of this.steps.slice(0, count)) this.#note(step)
    for (const [path, hash] of this.#state) this.#put(dir, path, hash, 'plain')
    return this.steps.slice(count)
  }

  /** Plays one step; returns how many folders were renamed. */
  play(dir: string, step: Step, writing: Writing): number {
    const renames = writing === 'geoserver' ? this.#folderRenames(step) : []
    for (const [from, to] of renames) {
      mkdirSync(dirname(join(dir, to)), { recursive: true })
      renameSync(join(dir, from), join(dir, to))
      this.#renamed(from, to)
    }
    const kept = new Set(step.put.map(([path]) => path))
    const deleted = new Set(step.del)
    for (const path of [...this.#state.keys()]) {
      const movedAlong = renames.some(([, to]) => path.startsWith(`${to}/`)) && !kept.has(path)
      if (deleted.has(path) || movedAlong) this.#delete(dir, path)
    }
    for (const [path, hash] of step.put) if (this.#state.get(path) !== hash) this.#put(dir, path, hash, writing)
    this.#note(step)
    return renames.length
  }

  /** Whether the directory could be where `step` leads; cheap, where the tree hash is sure. */
  looksDone(dir: string, step: Step): boolean {
    const gone = step.del.every(
      (path) => step.put.some(([other]) => other.startsWith(path)) || !existsSync(join(dir, path))
    )
    return gone && step.put.every(([path]) => existsSync(join(dir, path)))
  }

  /** Folders that vanish in this step and come back under another name with most of what was in them. */
  #folderRenames(step: Step): Array<[string, string]> {
    const deleted = new Set(step.del)
    const put = new Map(step.put)
    const renames: Array<[string, string]> = []
    for (const from of outermost(
      foldersOf(step.del).filter((folder) => this.#below(folder).every((path) => deleted.has(path)))
    )) {
      const content = this.#below(from).map((path) => [path.slice(from.length), this.#state.get(path)!] as const)
      const to = foldersOf([...put.keys()]).find((folder) => {
        const found = content.filter(([rest, hash]) => put.get(folder + rest) === hash).length
        return found * 2 > content.length && this.#below(folder).length === 0 && !this.#state.has(folder)
      })
      if (
        to !== undefined &&
        !renames.some(([, other]) => other === to || other.startsWith(`${to}/`) || to.startsWith(`${other}/`))
      )
        renames.push([from, to])
    }
    return renames
  }

  #below(folder: string): string[] {
    return [...this.#state.keys()].filter((path) => path.startsWith(`${folder}/`))
  }

  #renamed(from: string, to: string): void {
    for (const path of this.#below(from)) {
      this.#state.set(to + path.slice(from.length), this.#state.get(path)!)
      this.#state.delete(path)
    }
  }

  #delete(dir: string, path: string): void {
    rmSync(join(dir, path))
    this.#state.delete(path)
    for (let above = dirname(path); above !== '.'; above = dirname(above)) {
      if (readdirSync(join(dir, above)).length > 0) return
      rmdirSync(join(dir, above))
    }
  }

  #put(dir: string, path: string, hash: string, writing: Writing): void {
    const file = join(dir, path)
    const content = this.content(hash)
    mkdirSync(dirname(file), { recursive: true })
    if (writing === 'geoserver') {
      if (!existsSync(file)) writeFileSync(file, '')
      const temporary = `${file}.${randomUUID()}.tmp`
      writeFileSync(temporary, content)
      renameSync(temporary, file)
    } else writeFileSync(file, content)
    this.#state.set(path, hash)
  }

  #note(step: Step): void {
    for (const path of step.del) this.#state.delete(path)
    for (const [path, hash] of step.put) this.#state.set(path, hash)
  }
}

/** Every folder above the paths. */
function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set<string>()
  for (const path of paths) for (let above = dirname(path); above !== '.'; above = dirname(above)) folders.add(above)
  return [...folders].sort()
}

function outermost(folders: readonly string[]): string[] {
  return folders.filter((folder) => !folders.some((other) => folder.startsWith(`${other}/`)))
}
