/** Builds `dist/` when it is older than what it is made of. Plain JavaScript: it runs before anything is built. */
import { spawnSync } from 'node:child_process'
import { readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

export const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(REPOSITORY, 'dist')
/** Its time is that of the build's beginning: what changed during the build counts as changed. */
const STAMP = join(DIST, '.built')

/** Newest time at and below a path, ms; 0 when it is not there. */
function newest(path) {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return 0
  if (!found.isDirectory()) return found.mtimeMs
  return Math.max(found.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

/** Compiles a project of TypeScript; returns whether it compiled. Says on stderr what is wrong. */
export function compile(project, ...options) {
  const tsc = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(REPOSITORY, project), ...options], {
    cwd: REPOSITORY,
    stdio: ['ignore', 2, 2]
  })
  return status === 0
}

/** What is started, imported by others, or loaded on demand; the last also by tests that start the program many times. */
const ENTRIES = {
  main: 'src/main.ts',
  index: 'src/index.ts',
  'probe-worker': 'src/store/probe-worker.ts',
  ...Object.fromEntries(
    ['polyfill', 'cli/run', 'cli/logger', 'control/server', 'node'].map((name) => [name, `src/${name}.ts`])
  )
}

/**
 * Bundles the program and what it uses into a few files: a daemon that loads each of a thousand modules by itself needs
 * three times as long to start. Commands load their part alone, so the code is split where it is imported on demand.
 */
function bundle(outdir) {
  buildSync({
    absWorkingDir: REPOSITORY,
    entryPoints: ENTRIES,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'linked',
    // V8 keeps the text of what it runs for as long as it runs, and at two bytes a character when one needs more than one
    minifyWhitespace: true,
    lineLimit: 160,
    // its binary lies beside it
    external: ['classic-level'],
    // for what is written for require()
    banner: {
      js: "import { createRequire as grapevineRequire } from 'node:module'; const require = grapevineRequire(import.meta.url);"
    },
    logLevel: 'warning'
  })
  return true
}

/** Where each place is to be found in the source it came from, every module stays a file of its own. */
const APART = process.env['NODE_V8_COVERAGE'] !== undefined

function make(outdir) {
  if (APART) return compile('tsconfig.json', '--outDir', outdir)
  return compile('tsconfig.json', '--outDir', outdir, '--emitDeclarationOnly') && bundle(outdir)
}

/**
 * Makes `dist/` anew, without what sources that are gone had left in it. Compiled beside it and swapped in whole, because
 * daemons may run from the old one. Returns whether it compiled.
 */
export function build() {
  const began = new Date()
  const fresh = join(REPOSITORY, `dist.new-${process.pid}`)
  try {
    if (!make(fresh)) return false
    writeFileSync(join(fresh, '.built'), '')
    utimesSync(join(fresh, '.built'), began, began)
    rmSync(DIST, { recursive: true, force: true })
    renameSync(fresh, DIST)
    return true
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** Builds unless `dist/` is newer than sources and settings. Returns whether there is a build to run. */
export function buildIfNeeded() {
  const made = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs ?? 0
  const changed = Math.max(...['src', 'tsconfig.json', 'package.json'].map((name) => newest(join(REPOSITORY, name))))
  if (made > changed) return true
  process.stderr.write('grapevine: building...\n')
  return build()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = build() ? 0 : 1
