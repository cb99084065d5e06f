import './nodes.js'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const scene = fileURLToPath(import.meta.url).replace('mdns.test', 'mdns-scene')
/** A LAN of one machine: one end of a cable with a multicast route. The namespace ends with the process. */
const LAN =
  'ip link set lo up && ip link add e0 type veth peer name e1 && ip addr add 10.9.0.1/24 dev e0 && ip link set e0 up && ip link set e1 up && ip route add 224.0.0.0/4 dev e0'

describe('discovery by multicast DNS', { timeout: 120_000 }, () => {
  it('finds members, and an issuer for a newcomer, with no address given, and keeps two clusters apart', (t) => {
    if (spawnSync('unshare', ['--net', 'sh', '-c', LAN]).status !== 0) {
      t.skip('this machine does not let us make a network namespace')
      return
    }
    const node = [process.execPath, ...process.execArgv.filter((arg) => !arg.startsWith('--test')), scene]
    const result = spawnSync('unshare', ['--net', 'sh', '-c', `${LAN} && exec "$@"`, 'sh', ...node], {
      encoding: 'utf8',
      timeout: 110_000
    })
    assert.equal(result.stdout, 'found\n', result.stderr)
  })
})
