/** What lies in the data directories when the scenarios begin, and what they add; small enough for any GeoServer. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Site } from './geoserver-fleet.js'

/** Lays down what a GeoServer has made by itself after its first start; ids are those of this one. */
export function standInDirectory(dir: string, name: string): void {
  const files: Record<string, string> = {
    'wms.xml': `<wms>\n  <id>WMSInfoImpl-${name}</id>\n  <enabled>true</enabled>\n  <title>Maps</title>\n</wms>`
  }
  for (const [at, style] of ['point', 'line', 'polygon'].entries()) {
    files[`styles/${style}.xml`] =
      `<style>\n  <id>StyleInfoImpl-${name}:${at}</id>\n  <name>${style}</name>\n  <filename>default_${style}.sld</filename>\n</style>`
    files[`styles/default_${style}.sld`] = styleBody('')
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
}

/** Makes a workspace with a store and a layer through one GeoServer, before any node runs. */
export async function fillFirst(site: Site): Promise<void> {
  site.put('data/scenarios/contours.properties', features('contours'))
  await site.ask('POST', '/rest/workspaces', '<workspace><name>coast</name></workspace>')
  await site.ask('POST', '/rest/workspaces/coast/datastores', STORE)
  await site.ask(
    'POST',
    '/rest/workspaces/coast/datastores/depth/featuretypes',
    '<featureType><name>contours</name></featureType>'
  )
}

const STORE = `<dataStore><name>depth</name><type>Properties</type><enabled>true</enabled><connectionParameters><entry key="directory">file:data/scenarios</entry></connectionParameters></dataStore>`

/** It is never connected to. */
export const STORE_WITH_PASSWORD = `<dataStore><name>tides</name><type>PostGIS</type><enabled>false</enabled><connectionParameters><entry key="dbtype">postgis</entry><entry key="host">127.0.0.1</entry><entry key="port">1</entry><entry key="database">tides</entry><entry key="user">reader</entry><entry key="passwd">of-a</entry></connectionParameters></dataStore>`

export const GROUP = `<layerGroup><name>all</name><mode>SINGLE</mode><title>All</title><workspace><name>coast</name></workspace><publishables><published type="layer"><name>coast:contours</name></published><published type="layer"><name>coast:wrecks</name></published></publishables><styles><style><name>buoy</name></style><style/></styles><bounds><minx>10</minx><maxx>11</maxx><miny>50</miny><maxy>51</maxy><crs>EPSG:4326</crs></bounds></layerGroup>`

/** Two points in the text format of GeoServer's Properties store. */
export function features(name: string): string {
  return `_=name:String,geom:Point:srid=4326\n${name}.1=first|POINT(10 50)\n${name}.2=second|POINT(11 51)\n`
}

export function graphic(colour: string, size = 0): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"><rect width="16" height="${8 + (size % 8)}" fill="${colour}"/></svg>`
}

/** A style that draws points with a graphic; '': with a square. */
export function styleBody(graphicPath: string): string {
  const mark =
    graphicPath === ''
      ? '<Mark><WellKnownName>square</WellKnownName></Mark>'
      : `<ExternalGraphic><OnlineResource xlink:type="simple" xlink:href="${graphicPath}"/><Format>image/svg+xml</Format></ExternalGraphic>`
  return `<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:xlink="http://www.w3.org/1999/xlink">
  <NamedLayer>
    <Name>points</Name>
    <UserStyle>
      <FeatureTypeStyle>
        <Rule>
          <PointSymbolizer>
            <Graphic>
              ${mark}
              <Size>16</Size>
            </Graphic>
          </PointSymbolizer>
        </Rule>
      </FeatureTypeStyle>
    </UserStyle>
  </NamedLayer>
</StyledLayerDescriptor>
`
}

/** A document with a field of its root set; it is added at the end where it is missing. */
export function withField(xml: string, root: string, field: string, value: string): string {
  const wanted = `<${field}>${value}</${field}>`
  const known = new RegExp(`^  <${field}>.*?</${field}>|^  <${field}/>`, 'm')
  return known.test(xml) ? xml.replace(known, `  ${wanted}`) : xml.replace(`</${root}>`, `${wanted}</${root}>`)
}

/** Until a moment of `performance.now()`. */
export async function pauseUntil(at: number): Promise<void> {
  await pause(Math.max(0, at - performance.now()))
}
