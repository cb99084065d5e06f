/** Real daemons under libfaketime: clocks that are off, jump, and stand still. */
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../e2e/cluster.js'
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'

const CANDIDATES = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map(
  (place) => `/usr/lib/${place}/faketime/libfaketime.so.1`
)
/** Debian's package `libfaketime`. */
export const FAKETIME_LIBRARY = CANDIDATES.find((path) => existsSync(path)) ?? CANDIDATES[0]!
/** An alarm must come within this, ms. */
const ALARM_MS = 30_000

async function* from(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

async function alarmed(node: Node, about: RegExp): Promise<void> {
  await until(
    `${node.name} says that ${String(about)}`,
    async () => (await node.status()).problems.some(({ code, message }) => code === 'clock-off' && about.test(message)),
    ALARM_MS
  )
}

/** Three nodes, the third of which has a clock that this test sets. */
export async function wrongClocks(cluster: Cluster): Promise<void> {
  const file = join(cluster.place, 'clock')
  const set = (time: string): void => writeFileSync(file, `${time}\n`)
  set('+0')
  const a = await cluster.found('a')
  const b = await cluster.join('b')
  const env = {
    LD_PRELOAD: FAKETIME_LIBRARY,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1'
  }
  const c = await cluster.join('c', { env })
  await cluster.connected()

  for (const [time, about] of [
    ['+3h', /3 hours/],
    ['+10y', /10 years/],
    ['-10y', /10 years/]
  ] as const) {
    set(time)
    await Promise.all([
      alarmed(c, /^the clock of this node/),
      alarmed(a, new RegExp(`^the clock of c is ${about.source}`)),
      alarmed(b, /^the clock of c/)
    ])
    await c.client.put('f', from(`by c at ${time}`))
    await cluster.equal()
    assert.equal((await a.cli('cat', 'f')).stdout, `by c at ${time}`)
    // causally later wins, however early its clock
    await a.client.put('f', from(`by a after ${time}`))
    await cluster.equal()
    assert.equal((await c.cli('cat', 'f')).stdout, `by a after ${time}`)
    // a's own clock is not dragged along
    const [newest] = (await a.json<Array<{ time: string; author: string }>>('history', 'f'))
      .filter(({ author }) => author === a.id)
      .toReversed()
    assert.ok(Math.abs(Date.parse(newest!.time) - Date.now()) < 60_000, newest!.time)
  }
  assert.equal((await a.space()).conflicts, 0)

  // a clock that stands still, over a restart; then one that is right again
  set('2020-01-01 00:00:00')
  await c.restart()
  for (let at = 0; at < 5; at++) await c.client.put(`still-${at}`, from(`${at}`))
  await c.client.put('f', from('while it stood'))
  await cluster.equal()
  assert.equal((await a.cli('cat', 'f')).stdout, 'while it stood')
  set('+0')
  await until('the alarms are over', async () => {
    const all = await Promise.all([a, b, c].map((node) => node.status()))
    return all.every(({ problems }) => problems.length === 0)
  })
  await cluster.equal()
}
