/** What happens to a fleet of GeoServers, one scenario after the other, and what each may cost the others. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { succeeded } from './cluster.js'
import type { Fleet, Site } from './geoserver-fleet.js'
import { equalByMeaning } from './geoserver-meaning.js'
import * as made from './geoserver-scenario-world.js'

export interface Scenario {
  readonly name: string
  /** Resolves when all GeoServers show it. Throws when one does not. */
  readonly run: (fleet: Fleet) => Promise<void>
  /** The most calls, besides reloads, at each other GeoServer. Absent: as many as are needed. */
  readonly calls?: number
  /** The most reloads at each other GeoServer. */
  readonly reloads: number
  /** The most records of all. Absent: as many as it takes. */
  readonly records?: number
  /** Nodes that wrote something themselves: no others may make records. Default: the first alone. */
  readonly authors?: readonly string[]
  /** Nobody may make a record. */
  readonly silent?: boolean
  /** The others need what it makes. */
  readonly setup?: boolean
}

const SLD = 'application/vnd.ogc.sld+xml'
const TYPES = '/rest/workspaces/coast/datastores/depth/featuretypes'

export const SCENARIOS: readonly Scenario[] = [
  { name: 'join', run: join_, reloads: 2, authors: ['a', 'b', 'c'], setup: true },
  { name: 'new style with a graphic', run: newStyle, calls: 3, reloads: 0, setup: true },
  { name: 'edited style with a new graphic', run: editedStyle, calls: 0, reloads: 0 },
  { name: 'edited layer', run: editedLayer, calls: 1, reloads: 0 },
  { name: 'template', run: template, calls: 0, reloads: 0 },
  { name: 'tile layer changed', run: tileLayer, calls: 1, reloads: 0 },
  { name: 'tile layer removed and added', run: tileLayerAgain, calls: 2, reloads: 0 },
  { name: 'settings of a service', run: service, calls: 1, reloads: 0 },
  { name: 'new layer', run: newLayer, calls: 1, reloads: 1 },
  { name: 'new layer group', run: newGroup, calls: 1, reloads: 1 },
  { name: 'deleted layer', run: deletedLayer, calls: 5, reloads: 0 },
  { name: 'store with a password', run: password, calls: 1, reloads: 0 },
  { name: 'reload by a person', run: reload, calls: 0, reloads: 0, silent: true },
  { name: 'GeoServer down and back', run: downAndBack, reloads: 1 },
  { name: 'one name made apart', run: apart, records: 12, calls: 6, reloads: 2, authors: ['a', 'b', 'c'] },
  { name: '500 changes in a rush', run: burst, reloads: 2 },
  { name: 'workspace renamed', run: renamed, reloads: 1 },
  { name: 'workspace deleted', run: deleted, reloads: 0 }
]

/** Each GeoServer began with default styles of its own ids; the first has the workspace. */
async function join_(fleet: Fleet): Promise<void> {
  await fleet.join()
  await equalByMeaning(fleet.sites.map(({ node }) => node))
  await drawnAlike(fleet, 'coast:contours')
  fleet.load('coast:contours')
}

async function newStyle(fleet: Fleet): Promise<void> {
  const { first } = fleet
  const before = await first.map('coast:contours')
  await first.ask('PUT', '/rest/resource/styles/symbols/buoy.svg', made.graphic('red'), 'image/svg+xml')
  await first.ask('POST', '/rest/styles?name=buoy&raw=true', made.styleBody('symbols/buoy.svg'), SLD)
  await first.ask('PUT', '/rest/layers/coast:contours', '<layer><defaultStyle><name>buoy</name></defaultStyle></layer>')
  await drawnAlike(fleet, 'coast:contours', before)
}

async function editedStyle(fleet: Fleet): Promise<void> {
  const { first } = fleet
  const before = await first.map('coast:contours')
  await first.ask('PUT', '/rest/resource/styles/symbols/mast.svg', made.graphic('blue'), 'image/svg+xml')
  await first.ask('PUT', '/rest/styles/buoy?raw=true', made.styleBody('symbols/mast.svg'), SLD)
  await drawnAlike(fleet, 'coast:contours', before)
}

async function editedLayer(fleet: Fleet): Promise<void> {
  await fleet.first.ask('PUT', `${TYPES}/contours`, '<featureType><title>Lines of one depth</title></featureType>')
  await fleet.seen('knows the title', async (site) =>
    (await site.ask('GET', `${TYPES}/contours.xml`)).includes('Lines of one depth')
  )
}

async function template(fleet: Fleet): Promise<void> {
  const path = 'workspaces/coast/depth/contours/content.ftl'
  await fleet.first.ask('PUT', `/rest/resource/${path}`, '<b>depth</b>', 'text/plain')
  await fleet.seen(
    'has the template',
    async (site) => readFileSync(join(site.node.dir, path), 'utf8') === '<b>depth</b>'
  )
}

async function tileLayer(fleet: Fleet): Promise<void> {
  const at = '/gwc/rest/layers/coast:contours.xml'
  const known = await fleet.first.ask('GET', at)
  await fleet.first.ask('PUT', at, made.withField(known, 'GeoServerLayer', 'gutter', '17'))
  await fleet.seen('knows the gutter', async (site) => (await site.ask('GET', at)).includes('<gutter>17</gutter>'))
}

async function tileLayerAgain(fleet: Fleet): Promise<void> {
  const at = '/gwc/rest/layers/coast:contours.xml'
  const known = await fleet.first.ask('GET', at)
  await fleet.first.ask('DELETE', at)
  await fleet.seen('has no tile layer', async (site) => !(await site.has(at)))
  await fleet.first.ask('PUT', at, known)
  await fleet.seen('has the tile layer', (site) => site.has(at))
}

async function service(fleet: Fleet): Promise<void> {
  const at = '/rest/services/wms/settings'
  const known = await fleet.first.ask('GET', `${at}.xml`)
  await fleet.first.ask('PUT', at, made.withField(known, 'wms', 'title', 'Maps of the coast'))
  await fleet.seen('knows the title', async (site) =>
    (await site.ask('GET', `${at}.xml`)).includes('Maps of the coast')
  )
}

async function newLayer(fleet: Fleet): Promise<void> {
  await addLayer(fleet.first, 'wrecks')
  await drawnAlike(fleet, 'coast:wrecks')
}

/** The second member is drawn with its own style: the list of styles has a hole. */
async function newGroup(fleet: Fleet): Promise<void> {
  await fleet.first.ask('POST', '/rest/workspaces/coast/layergroups', made.GROUP)
  await drawnAlike(fleet, 'coast:all')
}

async function deletedLayer(fleet: Fleet): Promise<void> {
  await fleet.first.ask('DELETE', '/rest/workspaces/coast/layergroups/all')
  await fleet.first.ask('DELETE', `${TYPES}/wrecks?recurse=true`)
  await fleet.seen('has it no more', async (site) => !(await site.has('/rest/layers/coast:wrecks.xml')))
  await fleet.seen(
    'has the group no more',
    async (site) => !(await site.has('/rest/workspaces/coast/layergroups/all.xml'))
  )
}

/** Each other node has a password of its own for the store, the last one only later. */
async function password(fleet: Fleet): Promise<void> {
  const at = '/rest/workspaces/coast/datastores/tides'
  const last = fleet.others.at(-1)!
  for (const site of fleet.others.slice(0, -1)) giveSecret(site)
  await fleet.first.ask('POST', '/rest/workspaces/coast/datastores', made.STORE_WITH_PASSWORD)
  await fleet.seen('has the store', (site) => site.has(`${at}.xml`), fleet.others.slice(0, -1))
  await fleet.seen('says what it lacks', async (site) => {
    const { problems } = await site.node.status()
    return problems.some(({ code }) => code === 'secret-missing')
  }, [last]) // prettier-ignore
  assert.equal(await last.has(`${at}.xml`), false)
  giveSecret(last)
  succeeded(await last.node.cli('quarantine', 'retry'))
  await fleet.seen('has the store', (site) => site.has(`${at}.xml`), [last])
  for (const site of fleet.others)
    assert.ok(!readFileSync(join(site.node.dir, 'workspaces/coast/tides/datastore.xml'), 'utf8').includes('of-a'))
}

function giveSecret({ node, name }: Site): void {
  writeFileSync(join(node.home, 'geoserver-secrets.json'), `{"coast/tides/passwd": "of-${name}"}`, { mode: 0o600 })
}

/** Everybody looks at everything once more before it is known that nothing was sent. */
async function reload(fleet: Fleet): Promise<void> {
  await fleet.first.ask('POST', '/rest/reload')
  for (const { node } of fleet.sites) await node.restart()
  await drawnAlike(fleet, 'coast:contours')
}

async function downAndBack(fleet: Fleet): Promise<void> {
  const away = fleet.others[0]!
  await away.geoserver.stop()
  await addLayer(fleet.first, 'lights')
  await fleet.first.ask('PUT', `${TYPES}/contours`, '<featureType><title>While one was away</title></featureType>')
  await fleet.seen('notices', async ({ node }) => (await node.status()).target?.telling?.state === 'unreachable', [
    away
  ])
  await away.geoserver.start()
  await drawnAlike(fleet, 'coast:lights')
  await fleet.seen('knows the title', async (site) =>
    (await site.ask('GET', `${TYPES}/contours.xml`)).includes('While one was away')
  )
}

/** The same style at the first and, while its node is stopped, at the second. */
async function apart(fleet: Fleet): Promise<void> {
  const second = fleet.others[0]!
  await second.node.stop()
  for (const { ask } of [fleet.first, second].map((site) => ({ ask: site.ask.bind(site) }))) {
    await ask('POST', '/rest/styles?name=twin&raw=true', made.styleBody('symbols/buoy.svg'), SLD)
  }
  const layer = '<layer><defaultStyle><name>twin</name></defaultStyle></layer>'
  await fleet.first.ask('PUT', '/rest/layers/coast:contours', layer)
  await second.node.start()
  await drawnAlike(fleet, 'coast:contours')
  const ids = fleet.sites.map(({ node }) => readFileSync(join(node.dir, 'styles/twin.xml'), 'utf8'))
  await fleet.seen('has the one id', async ({ node }) => {
    const own = /<id>(.*?)<\/id>/.exec(readFileSync(join(node.dir, 'styles/twin.xml'), 'utf8'))?.[1]
    return own !== undefined && /<id>(.*?)<\/id>/.exec(ids[0]!)?.[1] === own
  })
}

const BURST_MS = 10_000
const BURST_CHANGES = 500
/** Every so many changes one is a new layer, or another title. */
const LAYER_EVERY = 50
const TITLE_EVERY = 10

/** Mostly graphics, some titles, some new layers. */
async function burst(fleet: Fleet): Promise<void> {
  const began = performance.now()
  for (let at = 0; at < BURST_CHANGES; at++) {
    await made.pauseUntil(began + (BURST_MS * at) / BURST_CHANGES)
    if (at % LAYER_EVERY === 0) await addLayer(fleet.first, `reef${at}`)
    else if (at % TITLE_EVERY === 0)
      await fleet.first.ask('PUT', `${TYPES}/contours`, `<featureType><title>Change ${at}</title></featureType>`)
    else fleet.first.put(`styles/symbols/s${at % 40}.svg`, made.graphic('red', at))
  }
  await drawnAlike(fleet, `coast:reef${BURST_CHANGES - LAYER_EVERY}`)
  // an older title that came back would be one that was written over the newest
  const last = `Change ${BURST_CHANGES - TITLE_EVERY}`
  const knows = async (site: Site): Promise<boolean> =>
    (await site.ask('GET', `${TYPES}/contours.xml`)).includes(`<title>${last}<`)
  await fleet.told()
  await fleet.seen('knows the last title', knows, fleet.sites)
}

async function renamed(fleet: Fleet): Promise<void> {
  fleet.mapped = ''
  await fleet.first.ask('PUT', '/rest/workspaces/coast', '<workspace><name>shore</name></workspace>')
  await drawnAlike(fleet, 'shore:contours')
  await fleet.seen('has the old name no more', async (site) => !(await site.has('/rest/workspaces/coast.xml')))
}

async function deleted(fleet: Fleet): Promise<void> {
  await fleet.first.ask('DELETE', '/rest/workspaces/shore?recurse=true')
  await fleet.seen('has it no more', async (site) => !(await site.has('/rest/workspaces/shore.xml')))
}

async function addLayer(site: Site, name: string): Promise<void> {
  site.put(`data/scenarios/${name}.properties`, made.features(name))
  await site.ask('POST', TYPES, `<featureType><name>${name}</name></featureType>`)
}

/** Waits until all others draw a layer as the first one does; `before`: and the first one no longer so. */
async function drawnAlike(fleet: Fleet, layer: string, before?: string): Promise<void> {
  await fleet.seen(
    `draws ${layer}`,
    async (site) => {
      const wanted = await fleet.first.map(layer)
      return wanted !== before && (await site.map(layer)) === wanted
    },
    fleet.others
  )
}
