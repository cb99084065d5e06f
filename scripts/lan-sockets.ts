/** Open TCP connections of a daemon in a namespace, as the kernel shows them. */
import { readFileSync } from 'node:fs'

const ESTABLISHED = '01'

/** Those with one other machine, by both ports: the same pair is the same connection. */
export function connectionsWith(pid: number, address: string): string[] {
  const remote = hexOf(address)
  return readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , other, state]) => state === ESTABLISHED && other!.startsWith(`${remote}:`))
    .map(([, own, other]) => `${own!.split(':')[1]} ${other!.split(':')[1]}`)
}

/** The kernel prints an address as one number of its own byte order. */
function hexOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0').toUpperCase())
  return bytes.toReversed().join('')
}
