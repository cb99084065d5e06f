/** One target in a process of its own, so that its memory and its stray rejections are its own: name, inputs, seed. */
import { runTarget } from './run.js'
import { TARGETS } from './targets/index.js'

const [name, inputs, seed] = process.argv.slice(2)
const target = TARGETS.find((each) => each.name === name)!
const result = await runTarget(target, {
  inputs: Number(inputs),
  seed: Number(seed),
  progress: (done) => process.send?.({ done })
})
// a long one is not all written when the channel is closed at once
process.send?.({ result }, undefined, undefined, () => process.disconnect?.())
