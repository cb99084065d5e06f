/** What the disk keeps when the power goes: contents by their own fsync, names by that of the directory they are in. */
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes created, renamed and removed names in a directory durable. Windows has no such call and orders them itself. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  await directory.sync().finally(() => directory.close())
}

/** Writes a small file whole or not at all, readable by us alone, durable when it resolves. Throws what the system says. */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.new`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.writeFile(content)
    // one that was left by somebody else keeps its mode
    await handle.chmod(0o600)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
  await syncDirectory(dirname(file))
}
