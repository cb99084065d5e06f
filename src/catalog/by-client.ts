/** Things by the Yjs client id they are of, in the order in which they came. */
export function byClient<T extends { readonly client: number }>(all: Iterable<T>): Map<number, T[]> {
  const found = new Map<number, T[]>()
  for (const each of all) {
    const own = found.get(each.client)
    if (own === undefined) found.set(each.client, [each])
    else own.push(each)
  }
  return found
}
