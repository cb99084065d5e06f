/**
 * What Node 20 lacks and libp2p 3 calls: `Promise.withResolvers` (standard since ES2024). Imported first by `main.ts`,
 * `index.ts` and every test that touches the network.
 */
if (typeof Promise.withResolvers !== 'function') {
  Promise.withResolvers = function withResolvers<T>(): PromiseWithResolvers<T> {
    let resolve!: (value: T | PromiseLike<T>) => void
    let reject!: (reason?: unknown) => void
    const promise = new Promise<T>((yes, no) => {
      resolve = yes
      reject = no
    })
    return { promise, resolve, reject }
  }
}
