/** A small data directory of our own making, as a map of paths to contents, for tests to break. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { Inventory } from '../../../src/adapters/geoserver/inventory.js'
import { readFacts } from '../../../src/adapters/geoserver/objects.js'

export type Tree = Record<string, string>

/** The same with a grid in its tile layer: GeoServer fills one in where there is none, when it saves it. */
export function savedTree(): Tree {
  const grid = '<gridSubset><gridSetName>EPSG:4326</gridSetName><extent/></gridSubset>'
  const tiles = `<GeoServerTileLayer><id>La-1</id><name>coast:contours</name><gridSubsets>${grid}</gridSubsets></GeoServerTileLayer>`
  return { ...smallTree(), 'gwc-layers/La-1.xml': tiles }
}

/** One workspace with a store, a layer with a style and a tile layer, and a group of it. Nothing is wrong with it. */
export function smallTree(): Tree {
  return {
    'global.xml':
      '<global>\n  <settings>\n    <charset>UTF-8</charset>\n  </settings>\n  <updateSequence>7</updateSequence>\n</global>\n',
    'styles/line.xml': '<style><id>Style-1</id><name>line</name><filename>line.sld</filename></style>',
    'styles/line.sld': '<StyledLayerDescriptor/>',
    'workspaces/default.xml': '<workspace><id>Ws-1</id><name>coast</name></workspace>',
    'workspaces/coast/workspace.xml': '<workspace><id>Ws-1</id><name>coast</name></workspace>',
    'workspaces/coast/namespace.xml':
      '<namespace><id>Ns-1</id><prefix>coast</prefix><uri>http://coast</uri></namespace>',
    'workspaces/coast/depth/datastore.xml':
      '<dataStore><id>Ds-1</id><name>depth</name><workspace><id>Ws-1</id></workspace></dataStore>',
    'workspaces/coast/depth/contours/featuretype.xml':
      '<featureType><id>Ft-1</id><name>contours</name><namespace><id>Ns-1</id></namespace><store class="dataStore"><id>Ds-1</id></store></featureType>',
    'workspaces/coast/depth/contours/layer.xml':
      '<layer><name>contours</name><id>La-1</id><defaultStyle><id>Style-1</id></defaultStyle><resource class="featureType"><id>Ft-1</id></resource></layer>',
    'workspaces/coast/depth/contours/title.ftl': '',
    'workspaces/coast/layergroups/all.xml':
      '<layerGroup><id>Gr-1</id><name>all</name><workspace><id>Ws-1</id></workspace><publishables><published type="layer"><id>La-1</id></published></publishables><styles><style/></styles></layerGroup>',
    'gwc-layers/La-1.xml': '<GeoServerTileLayer><id>La-1</id><name>coast:contours</name></GeoServerTileLayer>'
  }
}

export function inventoryOf(tree: Tree): Inventory {
  const classifier = new Classifier()
  const inventory = new Inventory()
  for (const [path, text] of Object.entries(tree))
    inventory.set(readFacts(path, classifier.classify(path), Buffer.from(text)))
  return inventory
}

export function writeTree(root: string, tree: Tree): void {
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}
