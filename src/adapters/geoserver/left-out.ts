/** Which paths of a directory stay on this node, asked again and again for the same directories. */
import type { Classifier } from './classify.js'

/** Directories whose answer is remembered. */
const MAX_REMEMBERED_DIRECTORIES = 50_000

/** What lies below a directory that is left out is left out, whatever it is by itself. */
export function withAllAbove(classifier: Classifier): (path: string, kind: 'file' | 'dir') => boolean {
  const directories = new Map<string, boolean>()
  const leavesOut = (directory: string): boolean => {
    const known = directories.get(directory)
    if (known !== undefined) return known
    const cut = directory.lastIndexOf('/')
    const answer = (cut > 0 && leavesOut(directory.slice(0, cut))) || classifier.leavesOut(directory, 'dir')
    if (directories.size >= MAX_REMEMBERED_DIRECTORIES) directories.clear()
    directories.set(directory, answer)
    return answer
  }
  return (path, kind) => {
    if (kind === 'dir') return leavesOut(path)
    const cut = path.lastIndexOf('/')
    return (cut > 0 && leavesOut(path.slice(0, cut))) || classifier.leavesOut(path, 'file')
  }
}
