/** What the local API answers while the index of a running node is made anew: status says that, and all else to wait. */
import { GrapevineError } from '../errors.js'
import type { NodeControl } from './control.js'

/** What answers without the index. */
const GOES_ON: ReadonlySet<PropertyKey> = new Set(['events', 'shutdown'])
/** What is read piece by piece. */
const STREAMS: ReadonlySet<PropertyKey> = new Set(['list', 'read', 'inspectLog', 'backup', 'scrub'])

/** `control` is about to lose its index: its status stays what it is now. */
export async function meanwhile(control: NodeControl): Promise<NodeControl> {
  const before = await control.status().catch(() => undefined)
  return new Proxy(control, {
    get: (target, name) => {
      const own: unknown = Reflect.get(target, name, target)
      if (typeof own !== 'function') return own
      if (GOES_ON.has(name)) return own.bind(target) as unknown
      if (STREAMS.has(name)) return waiting
      if (name === 'status' && before !== undefined) return async () => before
      return async () => wait()
    }
  })
}

function wait(): never {
  throw new GrapevineError('starting', 'the index of this node is being made anew', {
    next: 'wait; "grapevine status" says when the node runs again'
  })
}

/** Fails when it is read, like any stream. */
function waiting(): AsyncIterableIterator<never> {
  const stream: AsyncIterableIterator<never> = { next: async () => wait(), [Symbol.asyncIterator]: () => stream }
  return stream
}
