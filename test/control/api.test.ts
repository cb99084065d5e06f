import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { EVENT_NAMES, EVENTS } from '../../src/control/index.js'
import { createRoutes } from '../../src/control/routes.js'
import { silentLogger } from '../../src/runtime.js'
import { FakeTarget } from './fake-target.js'
import { raw, startWorld } from './world.js'

interface Section {
  readonly title: string
  readonly text: string
  /** Content of the fenced blocks, by language. */
  readonly blocks: ReadonlyMap<string, string>
}

// the tests also run compiled, one directory deeper, where the document is not
const candidates = ['../../src/control/API.md', '../../../src/control/API.md'].map(
  (path) => new URL(path, import.meta.url)
)

async function documentText(): Promise<string> {
  for (const url of candidates) {
    const text = await readFile(url, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  throw new Error('src/control/API.md is missing')
}

async function sections(heading: string): Promise<Section[]> {
  const part = (await documentText()).split(/^## /m).find((text) => text.startsWith(`${heading}\n`))!
  return part
    .split(/^### /m)
    .slice(1)
    .map((text) => ({
      title: text.split('\n')[0]!,
      text,
      blocks: new Map(
        [...text.matchAll(/^```(\w+)\n([^]*?)^```/gm)].map((match) => [match[1]!, match[2]!.trimEnd()] as const)
      )
    }))
}

/** Types and keys without values: what a caller may rely on. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]))
}

test('API.md has exactly one section a route', async () => {
  const app = createRoutes(
    { target: new FakeTarget(), logger: silentLogger },
    { home: '/h', version: '0', maxBodyBytes: 1, stopping: new AbortController().signal }
  )
  const routes = app.routes.filter(({ path }) => path.startsWith('/v1/')).map(({ method, path }) => `${method} ${path}`)
  const titles = (await sections('Routes')).map(({ title }) => title)
  assert.deepEqual(titles.toSorted(), routes.toSorted())
})

test('every example of a route is answered in the shape that is written there', async (t) => {
  const world = await startWorld(t)
  world.target.add('styles/a.sld', 'text')
  world.target.add('styles/b.sld', 'more')
  for (const { title, blocks } of await sections('Routes')) {
    if (title === 'GET /v1/events') continue
    const [line, , ...body] = blocks.get('http')!.split('\n')
    const [method, path] = line!.split(' ')
    const answer = await raw(world, method!, path!, body.join('\n').trim() || undefined)
    assert.ok(answer.status < 300, `${title}: ${answer.text}`)
    if (blocks.has('text')) assert.equal(answer.text, blocks.get('text'))
    else if (blocks.has('lines'))
      assert.deepEqual(
        answer.text
          .trim()
          .split('\n')
          .map((item) => shapeOf(JSON.parse(item))),
        blocks
          .get('lines')!
          .split('\n')
          .map((item) => shapeOf(JSON.parse(item))),
        title
      )
    else assert.deepEqual(shapeOf(JSON.parse(answer.text)), shapeOf(JSON.parse(blocks.get('json')!)), title)
  }
})

test('API.md has exactly one section an event, with the facts that it carries', async () => {
  const events = await sections('Events')
  assert.deepEqual(
    events.map(({ title }) => title),
    EVENT_NAMES
  )
  for (const { title, text, blocks } of events) {
    const spec = EVENTS[title as keyof typeof EVENTS]
    assert.ok(text.includes(spec.when), title)
    const { seq, time, event, ...facts } = JSON.parse(blocks.get('json')!) as Record<string, unknown>
    assert.deepEqual([typeof seq, typeof time, event], ['number', 'string', title])
    const types = Object.fromEntries(
      Object.entries(spec.facts).map(([key, type]) => [
        key,
        type === 'flag' ? 'boolean' : type.startsWith('text') ? 'string' : 'number'
      ])
    )
    assert.deepEqual(shapeOf(facts), types, title)
  }
})

test('every event of the examples goes through the stream unchanged', async (t) => {
  const { client, target } = await startWorld(t)
  const examples = (await sections('Events')).map(
    ({ blocks }) =>
      JSON.parse(blocks.get('json')!) as { event: (typeof EVENT_NAMES)[number]; seq: number; time: string }
  )
  const stop = new AbortController()
  const seen: unknown[] = []
  const reading = (async () => {
    for await (const { seq: _seq, time: _time, ...rest } of client.events(stop.signal))
      if (seen.push(rest) === examples.length) stop.abort()
  })()
  await target.subscribed(true)
  for (const { event, seq: _seq, time: _time, ...facts } of examples) target.emit(event, facts)
  await reading
  assert.deepEqual(
    seen,
    examples.map(({ seq: _seq, time: _time, ...rest }) => rest)
  )
})
