/** Raw files of the data directory over REST: the catalog learns nothing of it. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Context, Hono } from 'hono'
import type { GeoServer } from '../geoserver.js'
import { RestError } from '../rest-error.js'
import { element, writeXml } from '../xml.js'
import { text, xml } from './answers.js'

const PREFIX = '/rest/resource/'

export function addResources(app: Hono, server: GeoServer): void {
  app.get(`${PREFIX}*`, (c) => get(server, c))
  app.put(`${PREFIX}*`, (c) => put(server, c))
  app.delete(`${PREFIX}*`, async (c) => {
    await server.files.remove(pathIn(c))
    return text(c, '')
  })
}

async function get(server: GeoServer, c: Context): Promise<Response> {
  const path = pathIn(c)
  const found = await stat(server.files.at(path)).catch(() => null)
  if (found === null) throw new RestError(404, `Undefined resource path: ${path}`)
  if (found.isDirectory()) {
    const names = (await readdir(server.files.at(path))).toSorted()
    return xml(c, writeXml(element('ResourceDirectory', ...names.map((name) => element('name', name)))))
  }
  return c.body(new Uint8Array(await readFile(server.files.at(path))))
}

/** The content, or with `?operation` the path of what is moved or copied here. Folders are made on the way. */
async function put(server: GeoServer, c: Context): Promise<Response> {
  const path = pathIn(c)
  const operation = c.req.query('operation') ?? 'default'
  const sent = Buffer.from(await c.req.arrayBuffer())
  if (operation === 'default') {
    await server.files.save(path, sent)
    return text(c, '', 201)
  }
  const source = checked(sent.toString().trim().replace(/^\//, ''))
  if ((await stat(server.files.at(source)).catch(() => null)) === null)
    throw new RestError(404, `Undefined resource path: ${source}`)
  if (operation === 'copy') await server.files.save(path, await readFile(server.files.at(source)))
  else {
    await server.files.makeDir(dirname(path))
    await server.files.rename(source, path)
  }
  return text(c, '', 201)
}

function pathIn(c: Context): string {
  const { pathname } = new URL(c.req.url)
  return checked(decodeURIComponent(pathname.slice(pathname.indexOf(PREFIX) + PREFIX.length)))
}

function checked(path: string): string {
  if (path === '' || path.split('/').includes('..')) throw new RestError(400, `not a path of a resource: ${path}`)
  return path
}
