/** A file system of its own under a directory, small enough to be filled by a test. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'

export interface SmallFileSystem {
  /** Takes another size, as `200m`. */
  resize(size: string): void
  unmount(): void
}

/** Undefined where we may not mount. `size` as mount takes it. */
export function mountSmall(path: string, size: string): SmallFileSystem | undefined {
  mkdirSync(path, { recursive: true })
  const mount = (options: string): unknown =>
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'grapevine-test', path], { stdio: 'ignore' })
  try {
    mount(`size=${size},mode=700`)
  } catch {
    return undefined
  }
  return {
    resize: (next) => void mount(`remount,size=${next}`),
    unmount: () => void execFileSync('umount', ['-l', path], { stdio: 'ignore' })
  }
}
