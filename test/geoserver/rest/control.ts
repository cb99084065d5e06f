/** Reload, reset and the probes. */
import type { Hono } from 'hono'
import type { GeoServer } from '../geoserver.js'
import { modulesOf, versionOf } from '../plugins.js'
import { element, writeXml, type Xml } from '../xml.js'
import { text, xml } from './answers.js'

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
      return xml(c, writeXml(element('about', resource('GeoServer', element('Version', versionOf(server))))))
    })
  app.get('/rest/about/version.json', (c) =>
    c.json({ about: { resource: [{ '@name': 'GeoServer', Version: versionOf(server) }] } })
  )
  for (const path of ['/rest/about/manifest', '/rest/about/manifest.xml'])
    app.get(path, (c) => {
      const wanted = new RegExp(`^(?:${c.req.query('manifest') ?? '.*'})$`)
      const modules = modulesOf(server).filter((name) => wanted.test(name))
      return xml(c, writeXml(element('about', ...modules.map((name) => resource(name)))))
    })
  for (const path of ['/rest/about/status', '/rest/about/status.xml'])
    app.get(path, (c) => {
      const status = element('status', element('module', 'gs-main'), element('isAvailable', 'true'))
      const objects = element('message', `${server.catalog.size} objects`)
      return xml(c, writeXml(element('about', { ...status, content: [...status.content, objects] })))
    })
}

function resource(name: string, ...content: Xml[]): Xml {
  return { ...element('resource', ...content), attributes: { name } }
}
