/** The code checks its own habits. Each message says what to do instead. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, it } from 'node:test'
import { ERRORS } from '../src/errors.js'
import { REPOSITORY } from './golden/files.js'

/**
 * Which part of `src/` may import which others; `buffers`, `closed`, `errors`, `runtime`, `durable`, `share`, `steps`, `version`
 * and a part's own files go without saying. A part with a list of files may import only those of it.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  store: [],
  identity: ['wire', 'store'],
  log: ['wire', 'store', 'identity'],
  blobs: ['wire', 'store'],
  catalog: ['wire', 'store', 'log'],
  sync: ['wire', 'identity', 'log', 'blobs'],
  replica: ['wire', 'store', 'identity', 'log', 'catalog', 'sync'],
  adapters: ['wire'],
  publish: ['wire', 'store', 'catalog', 'adapters/contract', 'adapters/paths'],
  net: ['wire', 'identity'],
  control: ['wire'],
  node: [
    'wire',
    'store',
    'identity',
    'log',
    'blobs',
    'catalog',
    'sync',
    'replica',
    'adapters',
    'publish',
    'net',
    'control',
    'config',
    'runtime-node'
  ],
  cli: ['control', 'config', 'nearest'],
  'cli/run': ['control', 'config', 'node'],
  main: ['cli/run', 'polyfill'],
  index: ['polyfill', 'config', 'node', 'control/target'],
  node_: [
    'node/daemon',
    'node/setup',
    'node/invitations',
    'node/offline',
    'node/restore',
    'node/rebuild',
    'node/reidentify',
    'node/root',
    'adapters/index',
    'config',
    'control/target'
  ],
  config: ['nearest', 'rates'],
  nearest: [],
  rates: [],
  errors: [],
  buffers: [],
  closed: [],
  durable: [],
  share: [],
  steps: [],
  version: [],
  runtime: [],
  'runtime-node': [],
  polyfill: []
}

/** Packages that only one part knows (`runtime-node` is the world as Node has it). */
const KEPT_IN: ReadonlyArray<[packages: RegExp, ...parts: string[]]> = [
  [/^(level|classic-level|abstract-level)$/, 'store'],
  [/^(yjs|lib0)(\/|$)/, 'catalog'],
  [/^(libp2p|@libp2p\/.*|@chainsafe\/.*|@multiformats\/.*|it-.*|multicast-dns)$/, 'net'],
  [/^cborg$/, 'wire'],
  [/^(hono|@hono\/.*)(\/.*)?$/, 'control'],
  [/^commander$/, 'cli'],
  [/^pino$/, 'runtime-node', 'cli']
]

/** Lines a source file may have: beyond it, look for the second concern in it. */
const MAX_SOURCE_LINES = 400
/** Longer already. A number here may only become smaller; split the file, then take it off the list. */
const LONGER: Readonly<Record<string, number>> = {
  'src/log/record-log.ts': 498,
  'src/publish/target-sync.ts': 464,
  'src/replica/replica.ts': 700
}

/** What may not appear in any file of the repository: words for later, places of one machine. */
const NOT_IN_FILES: ReadonlyArray<[pattern: RegExp, instead: string]> = [
  [/\b(TODO|FIXME|HACK)\b/, 'do it, or open an issue'],
  [/(?<![\w.~-])\/(work|root|mnt|Users)\/[\w.-]+/, 'name no place of one machine'],
  [
    /https?:\/\/[\w.-]*(registry|artifactory|nexus|verdaccio|proxy)[\w.-]*/i,
    'name no registry: everybody has their own'
  ]
]

const TEXT = /\.(ts|mts|mjs|js|json|md|sh)$|^\.ci\/run$|^\.npmrc$/
/** Written by npm, or the table above. */
const NOT_LOOKED_AT = new Set(['package-lock.json', 'test/tidy.test.ts'])

interface Import {
  readonly file: string
  readonly target: string
}

/** Files that are tracked or would be: from git, or by walking where there is none. */
const FILES: readonly string[] = ((): string[] => {
  try {
    const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
      cwd: REPOSITORY,
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 2 ** 26
    })
    const files = listed
      .toString()
      .split('\n')
      .filter((file) => file !== '' && existsSync(join(REPOSITORY, file)))
    if (files.length > 0) return files
  } catch {
    // a copy without its history
  }
  return ['src', 'test', 'scripts', '.ci', '.github'].flatMap((top) =>
    readdirSync(join(REPOSITORY, top), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(REPOSITORY.length + 1))
  )
})()

const read = (file: string): string => readFileSync(join(REPOSITORY, file), 'utf8')
const sources = FILES.filter((file) => file.startsWith('src/') && file.endsWith('.ts'))
const tests = FILES.filter((file) => file.startsWith('test/') && file.endsWith('.ts'))

/** Imports, re-exports and dynamic imports; relative ones as the path of the source they name. */
const importsOf = (file: string): Import[] =>
  [...read(file).matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)'([^'\n]+)'/g)].map(([, target]) => ({
    file,
    target: target!.startsWith('.') ? normalize(join(dirname(file), target!)).replace(/\.js$/, '.ts') : target!
  }))

const imports = sources.flatMap(importsOf)

/** `src/cli/run.ts` -> `cli/run`, `src/node.ts` -> `node_`, so that it is not its folder. */
function nameOf(file: string): string {
  const name = file.replace(/^src\//, '').replace(/\.ts$/, '')
  return name === 'node' ? 'node_' : name
}

const partOf = (file: string): string => nameOf(file).split('/')[0]!

function allowed(file: string): readonly string[] {
  const own = MAY_IMPORT[nameOf(file)] ?? MAY_IMPORT[partOf(file)]
  assert.ok(
    own !== undefined,
    `${file}: a part that is not in the import table of this test; add it there with what it may know`
  )
  return [...own, 'buffers', 'closed', 'errors', 'runtime', 'durable', 'share', 'steps', 'version', partOf(file)]
}

function mayImport(file: string, target: string): boolean {
  const name = nameOf(target).replace(/_$/, '')
  return allowed(file).some((part) => name === part || name.startsWith(`${part}/`))
}

function nothing(found: readonly string[]): void {
  assert.deepEqual(found, [], `\n${found.join('\n')}\n`)
}

describe('the habits of this repository', () => {
  it('each part imports only what the table allows', () => {
    const wrong = imports.filter(({ file, target }) => target.startsWith('src/') && !mayImport(file, target))
    nothing(wrong.map(({ file, target }) => `${file} imports ${target}: hand it in as a dependency instead`))
  })

  it('packages that one part hides are imported by nobody else', () => {
    const wrong = imports.filter(({ file, target }) =>
      KEPT_IN.some(([packages, ...parts]) => packages.test(target) && !parts.includes(partOf(file)))
    )
    nothing(wrong.map(({ file, target }) => `${file} imports ${target}: use what the part that knows it exports`))
  })

  it('imports of own files end in .js and name a file that is there', () => {
    const wrong = imports.filter(
      ({ target }) => target.startsWith('src/') && !sources.includes(target) && target !== 'src/package.json'
    )
    nothing(wrong.map(({ file, target }) => `${file} imports ${target}, which is not there`))
  })

  it('every source file is reached from the executable or the library', () => {
    const reached = new Set<string>()
    // the index of a part is its table of contents, also when others go past it
    const begin = sources.filter((file) => /^src\/(main|index|[a-z]+\/index)\.ts$/.test(file))
    for (const work = [...begin]; work.length > 0;) {
      const file = work.pop()!
      if (reached.has(file) || !sources.includes(file)) continue
      reached.add(file)
      // a worker is named by its path and not imported
      const named = [...read(file).matchAll(/'(\.\.?\/[\w./-]+)\.[jt]s'/g)].map(([, path]) =>
        normalize(join(dirname(file), `${path!}.ts`))
      )
      work.push(...named)
    }
    nothing(sources.filter((file) => !reached.has(file)).map((file) => `${file} is used by nothing: remove it`))
  })

  it('every package in dependencies is imported by the sources, and every import is one of them', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
    const packageOf = (target: string): string =>
      target
        .split('/')
        .slice(0, target.startsWith('@') ? 2 : 1)
        .join('/')
    const used = new Set(
      imports
        .map(({ target }) => target)
        .filter((target) => !target.startsWith('src/') && !target.startsWith('node:'))
        .map(packageOf)
    )
    nothing(
      Object.keys(dependencies!)
        .filter((name) => !used.has(name))
        .map((name) => `${name} is a dependency that nothing imports: remove it`)
    )
    nothing(
      [...used]
        .filter((name) => !Object.hasOwn(dependencies!, name))
        .map((name) => `${name} is imported and not in dependencies: add it`)
    )
    const outside = [...tests, ...FILES.filter((file) => /^scripts\/.*\.(ts|mjs)$/.test(file))].flatMap(importsOf)
    const known = { ...dependencies, ...devDependencies }
    const foreign = outside.filter(
      ({ target }) =>
        /^[@a-z]/.test(target) &&
        !/^(node:|src\/|test\/|scripts\/|bench\/)/.test(target) &&
        !Object.hasOwn(known, packageOf(target))
    )
    nothing(foreign.map(({ file, target }) => `${file} imports ${target}, which is in neither list of package.json`))
  })

  it('no source file is long', () => {
    const long = sources
      .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
      .filter(({ file, lines }) => lines > (LONGER[file] ?? MAX_SOURCE_LINES))
    nothing(long.map(({ file, lines }) => `${file} has ${lines} lines: look for the second concern in it`))
    nothing(
      Object.keys(LONGER)
        .filter((file) => !sources.includes(file))
        .map((file) => `${file} is gone: take it off the list of long files`)
    )
  })

  it('nothing is left for later, and no file names a place of one machine or a registry', () => {
    const found: string[] = []
    for (const file of FILES.filter(
      (name) => TEXT.test(name) && !name.startsWith('node_modules/') && !NOT_LOOKED_AT.has(name)
    )) {
      read(file)
        .split('\n')
        .forEach((line, index) => {
          for (const [pattern, instead] of NOT_IN_FILES)
            if (pattern.test(line)) found.push(`${file}:${index + 1}: ${instead}: ${line.trim().slice(0, 120)}`)
        })
    }
    nothing(found)
  })

  it('the lock file names no registry and every package by version', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { version?: string; resolved?: string; optionalDependencies?: Record<string, string> }>
    }
    nothing(
      Object.entries(packages)
        .filter(([, entry]) => entry.resolved !== undefined)
        .map(([name]) => `${name} is locked to a registry: keep omit-lockfile-registry-resolved in .npmrc`)
    )
    const missing = Object.values(packages)
      .flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
      .filter((name) => !Object.hasOwn(packages, `node_modules/${name}`))
    nothing([...new Set(missing)].map((name) => `${name} is not in the lock file: npm ci refuses it`))
  })

  it('what is installed or built is not part of the repository', () => {
    const made = FILES.filter((file) => /^(node_modules|dist|dist-test|catalog|\.grapevine)\//.test(file))
    nothing(
      made.length === 0
        ? []
        : [`${made.length} files such as ${made[0]!} are tracked: git rm -r --cached ${made[0]!.split('/')[0]!}`]
    )
  })

  it('only the command line writes to the terminal', () => {
    const wrong = sources.filter(
      (file) =>
        partOf(file) !== 'cli' && partOf(file) !== 'main' && /\bconsole\.|process\.std(out|err)\b/.test(read(file))
    )
    nothing(wrong.map((file) => `${file} writes to the terminal: use the logger it is given`))
  })

  it('no test is left alone or switched off for good', () => {
    const only = tests.filter(
      (file) =>
        file !== 'test/tidy.test.ts' &&
        /\b(it|test|describe)\.(only|skip|todo)\b|\bonly: true\b|\bskip: (true|')/.test(read(file))
    )
    nothing(
      only.map((file) => `${file} holds a test that is skipped or runs alone: say by a condition when it cannot run`)
    )
  })

  it('every test of network code gives Node 20 what it lacks first', () => {
    const late = tests
      .filter((file) => file.startsWith('test/net/') && file.endsWith('.test.ts'))
      .filter((file) => !/^(\/\*[\s\S]*?\*\/\s*)?import '[^']+'/.test(read(file)))
    nothing(late.map((file) => `${file}: its first import must be the polyfill, or what imports it first`))
  })

  it('every error code stands in the reference of the README, and every code there exists', () => {
    const readme = read('README.md')
    const begin = readme.indexOf('### Errors')
    const documented = [
      ...readme.slice(begin, readme.indexOf('<!-- reference:end -->')).matchAll(/^\| `([a-z-]+)` +\|/gm)
    ].map(([, code]) => code!)
    assert.ok(begin > 0)
    assert.deepEqual(documented.toSorted(), Object.keys(ERRORS).toSorted(), 'write it anew with: npm run reference')
  })
})
