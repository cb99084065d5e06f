/** Settings, raw files and bodies of styles over REST. The numbers are those of REAL-SYSTEMS.md. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SLD, smallTree, worldOf } from './world.js'

const SLD_TYPE = { 'content-type': 'application/vnd.ogc.sld+xml' }

describe('settings', () => {
  test('that are sent in part are lost in part: the charset is gone and maps have no capabilities', async (t) => {
    const world = await worldOf(t)
    const part = '<global><settings><numDecimals>6</numDecimals></settings></global>'
    assert.equal((await world.call('GET', '/wms?request=GetCapabilities')).status, 200)
    assert.equal((await world.call('PUT', '/rest/settings', part)).status, 200)
    // 2.6: a PUT with a partial nested <settings> REPLACED it: GetCapabilities and GetFeatureInfo failed
    for (const request of ['GetCapabilities', 'GetFeatureInfo']) {
      const answer = await world.call('GET', `/wms?request=${request}&layers=coast:contours`)
      assert.equal(answer.status, 500)
      assert.match(answer.text, /Null charset name/)
    }
    assert.equal((await world.map('coast:contours')).status, 200)
    const whole = (await world.call('GET', '/rest/settings')).text.replace(
      '<settings>',
      '<settings><charset>UTF-8</charset>'
    )
    await world.call('PUT', '/rest/settings', whole)
    const info = await world.call('GET', '/wms?request=GetFeatureInfo&layers=coast:contours')
    assert.match(info.text, /"content":/)
  })

  test('at the top keep what is not sent, and the counter is the node’s own', async (t) => {
    const world = await worldOf(t)
    const sent = '<global><updateSequence>900</updateSequence><featureTypeCacheSize>5</featureTypeCacheSize></global>'
    await world.call('PUT', '/rest/settings', sent)
    // 2.6: a partial update is true for top-level fields
    const text = await world.text('global.xml')
    assert.match(text, /<charset>UTF-8</)
    assert.match(text, /<featureTypeCacheSize>5</)
    assert.match(text, /<updateSequence>8</)
  })

  test('of services and workspaces have files of their own', async (t) => {
    const world = await worldOf(t)
    await world.call('PUT', '/rest/services/wms/settings', '<wms><title>All maps</title></wms>')
    const written = await world.text('wms.xml')
    assert.match(written, /^<wms>\s*<enabled>true<\/enabled>\s*<title>All maps<\/title>\s*<id>ServiceInfoImpl-/)
    assert.match((await world.call('GET', '/rest/services/wms/settings')).text, /All maps/)
    // whatever id it is told, and whatever lies there, it writes its own
    await world.write('wms.xml', '<wms><id>of another</id></wms>')
    await world.call('PUT', '/rest/services/wms/settings', '<wms><id>of another</id><title>All maps</title></wms>')
    assert.equal(/<id>.*<\/id>/.exec(await world.text('wms.xml'))![0], /<id>.*<\/id>/.exec(written)![0])
    await world.write('wms.xml', '<wms><id>of another</id></wms>')
    await world.call('POST', '/rest/reload')
    await world.call('PUT', '/rest/services/wms/settings', '<wms><id>x</id></wms>')
    assert.match(await world.text('wms.xml'), /<id>of another</)
    const paths = {
      'settings.xml': '/rest/workspaces/coast/settings',
      'wms.xml': '/rest/services/wms/workspaces/coast/settings'
    }
    for (const [file, path] of Object.entries(paths)) {
      const root = file.replace('.xml', '')
      assert.equal((await world.call('GET', path)).status, 404)
      assert.equal((await world.call('PUT', path, `<${root}><title>Coast</title></${root}>`)).status, 200)
      assert.match((await world.call('GET', path)).text, /Coast/)
      assert.equal(world.has(`workspaces/coast/${file}`), true)
      assert.equal((await world.call('DELETE', path)).status, 200)
      assert.equal(world.has(`workspaces/coast/${file}`), false)
      assert.equal((await world.call('GET', path.replace('coast', 'sea'))).status, 404)
    }
  })
})

describe('the body of a style', () => {
  test('is encoded anew, unless it is sent as raw', async (t) => {
    const world = await worldOf(t)
    const other = SLD.replace('buoy', 'light')
    await world.call('PUT', '/rest/styles/line', other, SLD_TYPE)
    // 2.6: without ?raw=true GeoServer re-encodes the SLD, with ?raw=true it is byte-identical; an empty body is 400
    assert.notEqual(await world.text('styles/line.sld'), other)
    assert.match(await world.text('styles/line.sld'), /^<\?xml version="1.0"[^]*symbols\/light\.svg/)
    await world.call('PUT', '/rest/styles/line?raw=true', other, SLD_TYPE)
    assert.equal(await world.text('styles/line.sld'), other)
    assert.equal((await world.call('GET', '/rest/styles/line.sld')).text, other)
    assert.equal((await world.call('PUT', '/rest/styles/line?raw=true', '', SLD_TYPE)).status, 400)
    assert.equal((await world.call('PUT', '/rest/styles/line', '<Styled', SLD_TYPE)).status, 400)
    assert.equal((await world.call('PUT', '/rest/styles/none', SLD, SLD_TYPE)).status, 404)
  })

  test('is drawn at once when it is sent', async (t) => {
    const world = await worldOf(t)
    const before = (await world.drawn('coast:contours'))[0]!.body
    await world.call('PUT', '/rest/styles/line?raw=true', SLD.replace('buoy', 'light'), SLD_TYPE)
    assert.notEqual((await world.drawn('coast:contours'))[0]!.body, before)
  })

  test('brings its style along when it is new', async (t) => {
    const world = await worldOf(t)
    assert.equal((await world.call('POST', '/rest/styles?name=dots&raw=true', SLD, SLD_TYPE)).status, 201)
    assert.equal(await world.text('styles/dots.sld'), SLD)
    const css = { 'content-type': 'application/vnd.geoserver.geocss+css' }
    await world.call('POST', '/rest/workspaces/coast/styles?name=lines', '* { mark: url("a.svg") }', css)
    assert.match(await world.text('workspaces/coast/styles/lines.xml'), /lines\.css/)
    assert.equal((await world.call('GET', '/rest/styles/dots.sld')).text, SLD)
    const empty = '<style><name>empty</name><filename>empty.sld</filename></style>'
    await world.call('POST', '/rest/styles', empty)
    assert.equal((await world.call('GET', '/rest/styles/empty.sld')).status, 404)
  })
})

describe('raw files', () => {
  test('are written with their folder, moved, copied, listed and removed', async (t) => {
    const world = await worldOf(t)
    const at = '/rest/resource/user_projections'
    // 2.6: raw file in the data directory; folder on the fly, ?operation=move/copy
    assert.equal((await world.call('PUT', `${at}/epsg.properties`, 'a=1')).status, 201)
    assert.equal((await world.call('GET', `${at}/epsg.properties`)).text, 'a=1')
    await world.call('PUT', `${at}/copy.properties?operation=copy`, '/user_projections/epsg.properties')
    await world.call('PUT', `${at}/deep/moved.properties?operation=move`, 'user_projections/epsg.properties')
    assert.deepEqual(
      ['epsg.properties', 'copy.properties', 'deep/moved.properties'].map((name) =>
        world.has(`user_projections/${name}`)
      ),
      [false, true, true]
    )
    assert.match((await world.call('GET', at)).text, /<name>copy.properties<\/name>\s*<name>deep<\/name>/)
    assert.equal((await world.call('DELETE', `${at}/deep/moved.properties`)).status, 200)
    assert.equal((await world.call('GET', `${at}/deep/moved.properties`)).status, 404)
    assert.equal((await world.call('PUT', `${at}/x?operation=copy`, 'not/there')).status, 404)
    assert.equal((await world.call('PUT', `${at}/x?operation=copy`, '../outside')).status, 400)
  })

  test('have no effect on the catalog', async (t) => {
    const world = await worldOf(t, smallTree())
    const file = 'workspaces/coast/depth/contours/featuretype.xml'
    await world.call('PUT', `/rest/resource/${file}`, (await world.text(file)).replace('Contours', 'Lines'))
    // 2.6: no catalog effect
    const path = '/rest/workspaces/coast/datastores/depth/featuretypes/contours'
    assert.match((await world.call('GET', path)).text, /Contours/)
    assert.equal(world.standIn.report().counts.globalWrites, 0)
    assert.equal(world.standIn.report().counts.resourcePuts, 1)
  })
})

test('counts that nested settings are told without are 0 from then on', async (t) => {
  const world = await worldOf(t)
  await world.call(
    'PUT',
    '/rest/settings',
    '<global><jai><recycling>true</recycling><tileThreads>3</tileThreads></jai></global>'
  )
  const text = await world.text('global.xml')
  assert.match(text, /<tileThreads>3</)
  assert.match(text, /<tilePriority>0</)
  assert.doesNotMatch(text, /corePoolSize/)
})

test('of all that are told without a field that has a default have it from then on', async (t) => {
  const world = await worldOf(t)
  await world.call('POST', '/rest/workspaces', '<workspace><name>sea</name></workspace>')
  assert.doesNotMatch(await world.text('global.xml'), /resourceErrorHandling/)
  await world.call('PUT', '/rest/settings', '<global><verbose>true</verbose></global>')
  assert.match(await world.text('global.xml'), /<resourceErrorHandling>SKIP_MISCONFIGURED_LAYERS</)
  const other = '<global><resourceErrorHandling>OGC_EXCEPTION_REPORT</resourceErrorHandling></global>'
  await world.call('PUT', '/rest/settings', other)
  await world.call('PUT', '/rest/settings', '<global><verbose>true</verbose></global>')
  assert.match(await world.text('global.xml'), /<resourceErrorHandling>OGC_EXCEPTION_REPORT</)
})

test('of all that are loaded without an id get one of its own, until they are told another', async (t) => {
  const world = await worldOf(t)
  await world.call('POST', '/rest/workspaces', '<workspace><name>sea</name></workspace>')
  assert.match(await world.text('global.xml'), /<settings>\s*<id>SettingsInfoImpl-/)
  await world.change('global.xml', '<id>', '<was>')
  await world.change('global.xml', '</id>', '</was>')
  await world.call('POST', '/rest/reload')
  assert.doesNotMatch(await world.text('global.xml'), /<settings>\s*<id>/)
  await world.call('POST', '/rest/workspaces', '<workspace><name>lake</name></workspace>')
  assert.match(await world.text('global.xml'), /<settings>\s*<id>SettingsInfoImpl-/)
  const told = '<global><settings><id>of another</id><charset>UTF-8</charset></settings></global>'
  await world.call('PUT', '/rest/settings', told)
  assert.match(await world.text('global.xml'), /<settings>\s*<id>of another</)
  await world.call('PUT', '/rest/settings', told.replace('<id>of another</id>', ''))
  assert.doesNotMatch(await world.text('global.xml'), /<settings>\s*<id>/)
})
