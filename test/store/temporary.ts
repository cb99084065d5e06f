import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory for one test, removed with everything in it by `remove()`. */
export async function temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'grapevine-test-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
