/** A method that behaves otherwise for a while: for what no failing call for a file can reach, such as native code. */
export async function withMethod<T extends object, K extends keyof T, R>(
  owner: T,
  name: K,
  instead: (original: T[K]) => T[K],
  work: () => Promise<R>
): Promise<R> {
  const own = Object.hasOwn(owner, name)
  const original = owner[name]
  owner[name] = instead(original)
  try {
    return await work()
  } finally {
    if (own) owner[name] = original
    else delete owner[name]
  }
}
