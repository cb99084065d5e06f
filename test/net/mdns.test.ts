import './nodes.js'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const sceneOf = (name: string): string => fileURLToPath(import.meta.url).replace('mdns.test', name)
/** A LAN of one machine: one end of a cable with a multicast route. The namespace ends with the process. */
const LAN =
  'ip link set lo up && ip link add e0 type veth peer name e1 && ip addr add 10.9.0.1/24 dev e0 && ip link set e0 up && ip link set e1 up && ip route add 224.0.0.0/4 dev e0'
/** The same machine on a second one. */
const SECOND_LAN =
  'ip link add f0 type veth peer name f1 && ip addr add 10.9.1.1/24 dev f0 && ip link set f0 up && ip link set f1 up'

/** What the scene prints, run where there is such a LAN; undefined where we may not make one. */
function played(scene: string, lan: string): { stdout: string; stderr: string } | undefined {
  if (spawnSync('unshare', ['--net', 'sh', '-c', lan]).status !== 0) return undefined
  const node = [process.execPath, ...process.execArgv.filter((arg) => !arg.startsWith('--test')), sceneOf(scene)]
  return spawnSync('unshare', ['--net', 'sh', '-c', `${lan} && exec "$@"`, 'sh', ...node], {
    encoding: 'utf8',
    timeout: 110_000
  })
}

describe('discovery by multicast DNS', { timeout: 120_000 }, () => {
  it('finds members, and an issuer for a newcomer, with no address given, and keeps two clusters apart', (t) => {
    const result = played('mdns-scene', LAN)
    if (result === undefined) return t.skip('this machine does not let us make a network namespace')
    assert.equal(result.stdout, 'found\n', result.stderr)
  })

  it('is heard by all on every interface, and nothing comes of what strangers send', (t) => {
    const result = played('discovery-scene', `${LAN} && ${SECOND_LAN}`)
    if (result === undefined) return t.skip('this machine does not let us make a network namespace')
    assert.equal(result.stdout, 'found\n', result.stderr)
  })
})
