/** Bytes as a body that is read in one piece: a generator's work without one, for there is one for each that is opened. */
export function once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  let given = false
  const iterator: AsyncIterableIterator<Uint8Array> = {
    [Symbol.asyncIterator]: () => iterator,
    next: () => {
      if (given) return DONE
      given = true
      return Promise.resolve({ done: false, value: bytes })
    },
    return: () => {
      given = true
      return DONE
    }
  }
  return iterator
}

const DONE: Promise<IteratorReturnResult<undefined>> = Promise.resolve({ done: true, value: undefined })
