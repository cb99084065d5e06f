/** An object that does whatever `current` does at the time of each call: it outlives what is made anew behind it. */
export function standIn<T extends object>(current: () => T): T {
  return new Proxy({} as T, {
    get: (_, name) => {
      const now = current()
      const value: unknown = Reflect.get(now, name, now)
      return typeof value === 'function' ? value.bind(now) : value
    }
  })
}
