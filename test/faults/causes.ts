/** Why a daemon cannot write: injected, or made with the means of the system. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Node } from '../e2e/node.js'
import type { DaemonFaults } from './daemon.js'
import type { Rule } from './files.js'
import type { Cause } from './outage.js'

/** Calls that change files, as a regular expression. */
export const CHANGES_OF_FILES = 'create|write|writev|writeFile|sync|truncate|rename|unlink|mkdir|link|rm|rmdir'

/** Calls that fail for as long as the cause lasts. */
export function injectedCauses(faults: DaemonFaults): Cause[] {
  const cause = (name: string, refuses: boolean, rule: Rule, large = false): Cause => ({
    name,
    refuses,
    large,
    begin: () => faults.set(rule),
    end: () => faults.clear()
  })
  return [
    cause('EIO at every write of the log', true, { op: 'write', path: '/log/' }),
    cause('EIO at every fsync of the log', true, { op: 'sync', path: '/log/' }),
    cause('EIO at every write of a blob', true, { op: 'write|writev', path: '/blobs/' }, true),
    cause('EIO at every fsync of a blob', true, { op: 'sync', path: '/blobs/' }, true),
    cause('EIO at every change of a file of the home', true, { op: CHANGES_OF_FILES, path: '/home/' }),
    cause('EROFS at every change of a file of the home', true, { op: CHANGES_OF_FILES, path: '/home/', code: 'EROFS' }),
    cause('ENOSPC at every change of a file of the home', true, {
      op: CHANGES_OF_FILES,
      path: '/home/',
      code: 'ENOSPC'
    }),
    cause('EIO at every change of the journal', false, { op: CHANGES_OF_FILES, path: '/journal' }),
    cause('EIO at every change of the shared directory', false, { op: CHANGES_OF_FILES, path: '/catalog' }),
    cause('EMFILE at every open', true, { op: 'open|create', code: 'EMFILE' }, true)
  ]
}

/** Descriptors every process has from its beginning. */
const STANDARD_STREAMS = 3

/** No descriptor is left for the process: its limit is lowered to what it has, and raised again. */
export function noDescriptors(node: Node): Cause {
  const limit = (soft: string): void =>
    void execFileSync('prlimit', ['--pid', String(node.pid), `--nofile=${soft}:`], { stdio: 'ignore' })
  let before = ''
  return {
    name: 'no file descriptors',
    refuses: true,
    large: true,
    begin: () => {
      const said = execFileSync('prlimit', ['--pid', String(node.pid), '--nofile', '--output', 'SOFT', '--noheadings'])
      before = said.toString().trim()
      // what is open stays open; no number above is given out any more
      limit(String(STANDARD_STREAMS))
    },
    end: () => limit(before)
  }
}

/** The file system a directory lies on has no byte left. */
export function full(path: string, name: string, refuses: boolean): Cause {
  const ballast = join(path, '.grapevine-tmp-ballast')
  return {
    name,
    refuses,
    large: true,
    begin: () => {
      const block = Buffer.alloc(64 * 1024, 1)
      try {
        for (;;) writeFileSync(ballast, block, { flag: 'a' })
      } catch {
        // full
      }
    },
    end: () => rmSync(ballast, { force: true })
  }
}

/**
 * The file system is mounted read-only. The kernel refuses that while somebody has a file open for writing, which a home
 * always is: there it can only be injected.
 */
export function readOnly(path: string, name: string): Cause {
  const remount = (how: string): void => void execFileSync('mount', ['-o', `remount,${how}`, path], { stdio: 'pipe' })
  return { name, refuses: false, begin: () => remount('ro'), end: () => remount('rw') }
}
