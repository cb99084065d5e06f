/** What a stand-in was asked and what came of it, for assertions. */

export interface Asked {
  readonly at: number
  readonly method: string
  readonly path: string
  readonly status: number
  readonly ms: number
}

/** A time in which maps could not be drawn, ms since 1970; `end` is null while it lasts. */
export interface Outage {
  readonly begin: number
  end: number | null
}

export interface Counts {
  starts: number
  reloads: number
  resets: number
  tileReloads: number
  posts: number
  puts: number
  deletes: number
  resourcePuts: number
  maps: number
  failedMaps: number
  globalWrites: number
  updateSequence: number
}

export interface Report {
  readonly counts: Counts
  readonly outages: readonly Outage[]
  /** Layers whose tiles were dropped, in order. */
  readonly truncated: readonly string[]
  readonly asked: readonly Asked[]
  /** Lines of the log, such as `WARN Ignoring feature type directory ...`. */
  readonly log: readonly string[]
}

/** Requests and lines that are kept; older ones go first. */
const MAX_KEPT = 50_000

export class Journal implements Report {
  readonly counts: Counts = {
    starts: 0,
    reloads: 0,
    resets: 0,
    tileReloads: 0,
    posts: 0,
    puts: 0,
    deletes: 0,
    resourcePuts: 0,
    maps: 0,
    failedMaps: 0,
    globalWrites: 0,
    updateSequence: 0
  }
  readonly outages: Outage[] = []
  readonly truncated: string[] = []
  readonly asked: Asked[] = []
  readonly log: string[] = []

  line(level: 'INFO' | 'WARN' | 'SEVERE', text: string): void {
    keep(this.log, `${level} ${text}`)
  }

  request(asked: Asked): void {
    keep(this.asked, asked)
    if (/^\/(rest|gwc\/rest)\//.test(asked.path) && asked.status < 400) this.#countChange(asked)
  }

  #countChange({ method, path }: Asked): void {
    if (/^\/rest\/(reload|reset)\b|^\/gwc\/rest\/(reload|masstruncate)\b/.test(path)) return
    if (path.startsWith('/rest/resource/')) {
      if (method === 'PUT') this.counts.resourcePuts++
      return
    }
    if (method === 'POST') this.counts.posts++
    if (method === 'PUT') this.counts.puts++
    if (method === 'DELETE') this.counts.deletes++
  }
}

function keep<T>(list: T[], one: T): void {
  list.push(one)
  if (list.length > MAX_KEPT) list.shift()
}

/** Most nodes of a fleet that could not draw maps at the same moment. An outage without an end lasts for ever. */
export function mostOutagesAtOnce(reports: readonly Pick<Report, 'outages'>[]): number {
  const edges = reports
    .flatMap(({ outages }) => outages)
    .flatMap(({ begin, end }) => [
      { at: begin, by: 1 },
      { at: end ?? Infinity, by: -1 }
    ])
    .toSorted((a, b) => a.at - b.at || a.by - b.by)
  let [now, most] = [0, 0]
  for (const { by } of edges) most = Math.max(most, (now += by))
  return most
}
