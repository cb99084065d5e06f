/** The young part of the heap stays small under load, and may grow again after it shrank. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { GROWTH_FLAG, MAX_YOUNG_BYTES, YoungHeap } from '../../src/node/young-heap.js'

test('what is small may grow, and what is large enough may not', () => {
  const told: boolean[] = []
  let bytes = MAX_YOUNG_BYTES - 1
  const heap = new YoungHeap({ bytes: () => bytes, grow: (may) => told.push(may) })
  heap.start()
  bytes = MAX_YOUNG_BYTES
  heap.look()
  bytes = MAX_YOUNG_BYTES - 1
  heap.look()
  bytes = MAX_YOUNG_BYTES
  heap.look()
  heap.stop()
  assert.deepEqual(told, [true, false, true, false, true])
})

test('this Node knows the flag', () => {
  assert.match(execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' }), new RegExp(`${GROWTH_FLAG} `))
})

/** Most that the young space of a process takes in which much is made and some of it stays, bytes. */
function mostOf(kept: boolean): number {
  const module = new URL('../../src/node/young-heap.js', import.meta.url)
  const source = `
    import { setImmediate as turn } from 'node:timers/promises'
    import { processYoungSpace, YoungHeap } from ${JSON.stringify(module)}
    const space = processYoungSpace()
    if (${kept}) new YoungHeap(space).start()
    const stays = []
    let most = 0
    for (let turns = 0; turns < 300; turns++) {
      for (let i = 0; i < 5000; i++) stays[(turns * 5000 + i) % 200_000] = { a: i, b: [i], c: 'x' + i }
      most = Math.max(most, space.bytes())
      await turn()
    }
    console.log(most)`
  return Number(
    execFileSync(process.execPath, [...process.execArgv.filter(isLoader), '--input-type=module', '-e', source], {
      encoding: 'utf8'
    })
  )
}

const isLoader = (arg: string, at: number, all: readonly string[]): boolean =>
  ['--import', '--require'].includes(arg) || ['--import', '--require'].includes(all[at - 1] ?? '')

test('under load it stays as small as it is to be', () => {
  assert.ok(mostOf(false) > MAX_YOUNG_BYTES, 'it would not have grown beyond it')
  assert.ok(mostOf(true) <= MAX_YOUNG_BYTES)
})
