/** Which places that catch something were executed, from what V8 writes into the directory of NODE_V8_COVERAGE. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { placesIn, type Handler } from './catch-places.js'

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface Functions {
  readonly functionName: string
  readonly ranges: readonly Range[]
}

interface Script {
  readonly url: string
  readonly functions: readonly Functions[]
}

/** Compiled sources: of the program, and as the tests load them. */
const COMPILED = /\/(?:dist|dist-test\/src)\/(.+)\.js$/

/** Executed places by source, as `net/run.ts`: how manieth in the file, from 0. */
export class CatchCoverage {
  readonly #executed = new Map<string, Set<number>>()
  readonly #places = new Map<string, Handler[]>()
  /** Functions that handlers are named after live in other files as well. */
  readonly #called = new Set<string>()
  readonly #calledWithin = new Set<string>()
  processes = 0

  /** `roots`: the compiled directories of this repository; other copies of them do not count. */
  constructor(private readonly roots: readonly string[]) {}

  add(directory: string): void {
    for (const name of readdirSync(directory)) {
      if (!name.endsWith('.json')) continue
      const { result } = parsed(join(directory, name))
      this.processes += 1
      for (const script of result) this.#addScript(script)
    }
  }

  /** Whether a place was executed in any process. */
  executed(source: string, at: number, handler: Handler): boolean {
    if (handler.kind === 'named') return this.#called.has(handler.name)
    if (handler.kind === 'made') return this.#calledWithin.has(handler.name)
    return this.#executed.get(source)?.has(at) ?? false
  }

  #addScript({ url, functions }: Script): void {
    if (!url.startsWith('file://')) return
    const file = fileURLToPath(url)
    const name = COMPILED.exec(file)?.[1]
    if (name === undefined || !this.roots.some((root) => file.startsWith(root))) return
    this.#noteNames(functions)
    const executed = this.#executed.get(`${name}.ts`) ?? new Set()
    this.#executed.set(`${name}.ts`, executed)
    for (const [at, handler] of this.#placesOf(file).entries()) {
      if (executed.has(at)) continue
      const count = handler.kind === 'block' ? blockCount(functions, handler.offset) : callCount(functions, handler)
      if (count > 0) executed.add(at)
    }
  }

  #placesOf(file: string): Handler[] {
    const known = this.#places.get(file) ?? placesIn(readFileSync(file, 'utf8'))
    this.#places.set(file, known)
    return known
  }

  #noteNames(functions: readonly Functions[]): void {
    for (const { functionName, ranges } of functions) {
      const own = ranges[0]!
      if (functionName === '' || own.count === 0) continue
      this.#called.add(functionName)
      const inside = functions.some(
        ({ ranges: [inner] }) =>
          inner!.count > 0 && inner!.startOffset > own.startOffset && inner!.endOffset < own.endOffset
      )
      if (inside) this.#calledWithin.add(functionName)
    }
  }
}

/** A process that was killed while it wrote leaves half a file: it counts for nothing. */
function parsed(file: string): { result: Script[] } {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { result: Script[] }
  } catch {
    return { result: [] }
  }
}

/** How often the innermost range around an offset ran. */
function blockCount(functions: readonly Functions[], offset: number): number {
  let narrowest: Range | undefined
  for (const { ranges } of functions)
    for (const range of ranges)
      if (range.startOffset <= offset && offset <= range.endOffset)
        if (narrowest === undefined || width(range) <= width(narrowest)) narrowest = range
  return narrowest?.count ?? 0
}

function callCount(functions: readonly Functions[], { offset }: Handler): number {
  return functions.find(({ ranges }) => ranges[0]!.startOffset === offset)?.ranges[0]!.count ?? 0
}

function width({ startOffset, endOffset }: Range): number {
  return endOffset - startOffset
}
