/** Where a node that begins anew in its process listens: others know the port that it found, and would look for it there. */

const ANY_PORT = /^\/(ip4|ip6)\/([^/]+)\/tcp\/0(?=\/|$)/
const BOUND = /^\/(ip4|ip6)\/([^/]+)\/tcp\/(\d+)/
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** `asked` with the port that was found in `had` wherever any free port was asked for; each port is taken once. */
export function listenAgain(asked: readonly string[], had: readonly string[]): string[] {
  const bound = had.flatMap((address) => {
    const [, family, host, port] = BOUND.exec(address) ?? []
    return port === undefined ? [] : [{ family, host, port }]
  })
  const taken = new Set(asked.map((address) => BOUND.exec(address)?.[3]).filter((port) => port !== '0'))
  return asked.map((address) => {
    const [whole, family, host = ''] = ANY_PORT.exec(address) ?? []
    if (whole === undefined) return address
    const found = bound.find(
      (each) => each.family === family && (WILDCARDS.has(host) || each.host === host) && !taken.has(each.port)
    )
    if (found === undefined) return address
    taken.add(found.port)
    return address.replace(ANY_PORT, `/${family}/${host}/tcp/${found.port}`)
  })
}
