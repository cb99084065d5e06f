/** Reload, reset and the probes. */
import type { Hono } from 'hono'
import type { GeoServer } from '../geoserver.js'
import { element, writeXml } from '../xml.js'
import { text, xml } from './answers.js'

export const VERSION = '2.26.2'

export function addControl(app: Hono, server: GeoServer): void {
  for (const method of ['POST', 'PUT']) {
    app.on(method, '/rest/reload', async (c) => {
      await server.reload()
      return text(c, '')
    })
    app.on(method, '/rest/reset', (c) => {
      server.reset()
      return text(c, '')
    })
  }
}

/** Probes that wait for nothing. */
export function addProbes(app: Hono, server: GeoServer): void {
  for (const path of ['/rest/about/version', '/rest/about/version.xml'])
    app.get(path, (c) => {
      const resource = element('resource', element('Version', VERSION))
      resource.attributes['name'] = 'GeoServer'
      return xml(c, writeXml(element('about', resource)))
    })
  app.get('/rest/about/version.json', (c) =>
    c.json({ about: { resource: [{ '@name': 'GeoServer', Version: VERSION }] } })
  )
  for (const path of ['/rest/about/status', '/rest/about/status.xml'])
    app.get(path, (c) => {
      const status = element('status', element('module', 'gs-main'), element('isAvailable', 'true'))
      const objects = element('message', `${server.catalog.size} objects`)
      return xml(c, writeXml(element('about', { ...status, content: [...status.content, objects] })))
    })
}
