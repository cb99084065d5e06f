import { MAX_STEPS } from '../../../src/adapters/geoserver/own-fields.js'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  Classifier,
  MAX_OWN_RULE_CHARS,
  MAX_OWN_RULE_WILDCARDS,
  MAX_OWN_RULES
} from '../../../src/adapters/geoserver/classify.js'
import { FILE_RULES } from '../../../src/adapters/geoserver/file-rules.js'
import { isError } from '../../contract/adapter.js'

const classifier = new Classifier()

/** `path kind sharing workspace`, as in a listing. */
const TABLE = `
global.xml                                          global            by-field  -
logging.xml                                         logging           by-field  -
wms.xml                                             service           by-field  -
workspaces/default.xml                              default-workspace by-field  -
workspaces/coast/workspace.xml                      workspace         by-field  coast
workspaces/coast/namespace.xml                      namespace         by-field  coast
workspaces/coast/settings.xml                       settings          by-field  coast
workspaces/coast/wfs.xml                            service           by-field  coast
workspaces/coast/styles/night.xml                   style             by-field  coast
workspaces/coast/styles/night.sld                   style-body        shared    coast
workspaces/coast/styles/night.css                   style-body        shared    coast
workspaces/coast/styles/symbols/buoy.svg            graphic           shared    coast
workspaces/coast/styles/symbols/old.sld             graphic           shared    coast
workspaces/coast/layergroups/all.xml                layergroup        by-field  coast
workspaces/coast/depth/datastore.xml                datastore         by-field  coast
workspaces/coast/dem/coveragestore.xml              coveragestore     by-field  coast
workspaces/coast/depth/datastore.xml.old            backup            local     coast
workspaces/coast/far/wmsstore.xml                   wmsstore          by-field  coast
workspaces/coast/far/wmtsstore.xml                  wmtsstore         by-field  coast
workspaces/coast/depth/contours/featuretype.xml     featuretype       by-field  coast
workspaces/coast/dem/dem/coverage.xml               coverage          by-field  coast
workspaces/coast/far/x/wmslayer.xml                 wmslayer          by-field  coast
workspaces/coast/far/x/wmtslayer.xml                wmtslayer         by-field  coast
workspaces/coast/depth/contours/layer.xml           layer             by-field  coast
workspaces/coast/depth/contours/title.ftl           template          shared    coast
workspaces/coast/header.ftl                         template          shared    coast
workspaces/Kü ste/workspace.xml                     workspace         by-field  Kü ste
styles/line.xml                                     style             by-field  -
styles/line.sld                                     style-body        shared    -
styles/header.ftl                                   template          shared    -
styles/fonts/a.ttf                                  graphic           shared    -
layergroups/all of it.xml                           layergroup        by-field  -
gwc-layers/LayerInfoImpl-1_2_-3.xml                 tile-layer        by-field  -
gwc-gs.xml                                          tile-settings     shared    -
user_projections/epsg.properties                    projection        shared    -
palettes/safe.pal                                   palette           shared    -
www/index.html                                      website           shared    -
data/sea.tif                                        data              shared    -
controlflow.properties                              extension         shared    -
pregeneralized.xml                                  other             shared    -
workspaces/coast/depth/contours/filters.xml         other             shared    coast
logs/geoserver.log                                  log               local     -
logs/PRODUCTION_LOGGING.xml                         log               local     -
gwc/EPSG_4326/1/1.png                               cache             local     -
gwc/geowebcache.xml                                 tile-settings     opt-in    -
legendsamples/line.png                              cache             local     -
cluster/cluster.properties                          node              local     -
jdbcconfig/jdbcconfig.properties                    node              local     -
geoserver-environment.properties                    node              local     -
tmp/x                                               scratch           local     -
uploads/x                                           scratch           local     -
filelock.lock                                       scratch           local     -
security/users.xml.lock                             scratch           local     -
styles/.line.sld.swp                                scratch           local     -
workspaces/coast/.DS_Store                          scratch           local     coast
.git/HEAD                                           scratch           local     -
.gitignore                                          scratch           local     -
styles/line.sld.bak                                 backup            local     -
security/geoserver.jceks                            security          secret    -
security/masterpw/default/config.xml                security          secret    -
security/masterpw.digest                            security          secret    -
security/masterpw.xml                               security          secret    -
security/usergroup/default/users.xml                security          opt-in    -
security/role/default/roles.xml                     security          opt-in    -
security/layers.properties                          security          opt-in    -
security/auth/default/config.xml                    security          opt-in    -
security/config.xml                                 security          opt-in    -
security/version.properties                         security          local     -
security/anything else                              security          local     -
`

describe('what a path of a data directory is', () => {
  test('and for whom it is, follows from where it lies', () => {
    for (const line of TABLE.trim().split('\n')) {
      const path = line.slice(0, 52).trim()
      const [, kind, sharing, workspace] = /^(\S+)\s+(\S+)\s+(.+)$/.exec(line.slice(52))!
      const found = classifier.classify(path!)
      assert.deepEqual([path, found.kind, found.sharing, found.workspace ?? '-'], [path, kind, sharing, workspace])
      assert.ok(found.reason.length > 10)
    }
  })

  test('every line of the table gives a reason and decides about something', () => {
    const reached = new Set(
      TABLE.trim()
        .split('\n')
        .map((line) => classifier.classify(line.slice(0, 52).trim()).reason)
    )
    for (const rule of FILE_RULES) assert.ok(rule.reason.split(' ').length > 3, rule.pattern)
    assert.ok(reached.size > 25)
  })

  test('a directory is left out when nothing below it can travel, and kept when something can', () => {
    const left = ['logs', 'gwc', 'security', 'security/masterpw', 'cluster', '.git', 'legendsamples', 'tmp/deep']
    for (const path of left) assert.ok(classifier.leavesOut(path, 'dir'), path)
    const kept = ['styles', 'workspaces', 'workspaces/logs', 'workspaces/coast', 'gwc-layers', 'data', 'anything']
    for (const path of kept) assert.ok(!classifier.leavesOut(path, 'dir'), path)
  })

  test('the operator adds lines of their own, and the last that matches wins', () => {
    const own = new Classifier([
      'share security/layers.properties',
      'local data/**',
      'share /data/small/*',
      'local wms.xml'
    ])
    assert.equal(own.classify('security/layers.properties').sharing, 'shared')
    assert.match(own.classify('security/layers.properties').reason, /share security\/layers\.properties/)
    assert.equal(own.classify('data/large.tif').sharing, 'local')
    assert.equal(own.classify('data/small/a.csv').sharing, 'shared')
    assert.equal(own.classify('wms.xml').sharing, 'local')
    assert.equal(own.classify('wfs.xml').sharing, 'by-field')
  })

  test('a directory above what the operator shares is kept, and those beside it are not', () => {
    const own = new Classifier([
      'share security/role/default/*',
      'share gwc/geowebcache.xml',
      'local data/**',
      'share data/**/a'
    ])
    for (const path of ['security', 'security/role', 'security/role/default', 'gwc', 'data', 'data/x/y'])
      assert.ok(!own.leavesOut(path, 'dir'), path)
    for (const path of ['security/usergroup', 'security/role/other', 'gwc/EPSG_4326', 'logs'])
      assert.ok(own.leavesOut(path, 'dir'), path)
    assert.ok(own.leavesOut('security/config.xml', 'file'))
    assert.ok(!own.leavesOut('gwc/geowebcache.xml', 'file'))
  })

  test('no line of the operator makes a secret travel, or a file with fields of one machine travel whole', () => {
    const own = new Classifier(['share **', 'share security/**'])
    for (const path of ['security/geoserver.jceks', 'security/masterpw/default/passwd', 'security/masterpw.info'])
      assert.equal(own.classify(path).sharing, 'secret')
    assert.equal(own.classify('global.xml').sharing, 'by-field')
    assert.equal(own.classify('logs/x').sharing, 'shared')
  })

  test('the operator keeps fields of files by field on each node, of all lines that match', () => {
    const own = new Classifier([
      'field wms.xml maxRenderingTime',
      'field /*.xml  title',
      'field workspaces/a b/*/datastore.xml connectionParameters/entry[host]',
      'local wcs.xml'
    ])
    assert.deepEqual(own.placeOf('wms.xml'), {
      path: 'wms.xml',
      kind: 'service',
      ownFields: [['maxRenderingTime'], ['title']]
    })
    assert.deepEqual(own.placeOf('workspaces/a b/s/datastore.xml')!.ownFields, [
      ['connectionParameters', 'entry[host]']
    ])
    assert.deepEqual(own.placeOf('workspaces/c/s/datastore.xml'), {
      path: 'workspaces/c/s/datastore.xml',
      kind: 'datastore'
    })
    // a field makes no file travel, and none stay
    assert.equal(own.placeOf('wcs.xml'), null)
    assert.equal(own.classify('wms.xml').sharing, 'by-field')
    assert.equal(own.placeOf('styles/a.sld'), null)
  })

  test('lines of the operator that cannot be understood are refused with what is wrong', () => {
    for (const line of [
      '',
      'share',
      'publish data/**',
      'share {a,b}',
      'field wms.xml',
      'field {wms,wfs}.xml title',
      `field ${'*/'.repeat(MAX_OWN_RULE_WILDCARDS + 1)} title`,
      'field wms.xml a//b',
      'field wms.xml /title',
      'field wms.xml <title>',
      'field wms.xml a[b]/c',
      'field wms.xml entry[]',
      `field wms.xml ${Array(MAX_STEPS + 1)
        .fill('a')
        .join('/')}`,
      'field **/layer.xml name',
      'field **/layer.xml defaultStyle/id',
      'field **/layer.xml resource',
      `share ${'*/'.repeat(MAX_OWN_RULE_WILDCARDS + 1)}`
    ])
      assert.throws(() => new Classifier([line]), isError('config-invalid'), line)
    assert.ok(new Classifier([`field wms.xml ${Array(MAX_STEPS).fill('a').join('/')}`]))
    assert.ok(new Classifier([`share ${'*/'.repeat(MAX_OWN_RULE_WILDCARDS)}x`]))
    const long = (length: number): string => `local ${'x'.repeat(length - 6)}`
    assert.ok(new Classifier([long(MAX_OWN_RULE_CHARS)]))
    assert.throws(() => new Classifier([long(MAX_OWN_RULE_CHARS + 1)]), isError('config-invalid'))
    assert.ok(new Classifier(Array(MAX_OWN_RULES).fill('local x')))
    assert.throws(() => new Classifier(Array(MAX_OWN_RULES + 1).fill('local x')), isError('config-invalid'))
  })
})
