/** What people and programs on this machine send: command lines, and requests to a real control server. */
import '../../../src/polyfill.js'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { COMMANDS } from '../../../src/cli/commands.js'
import type { CommandDefinition } from '../../../src/cli/context.js'
import { createProgram, parse } from '../../../src/cli/program.js'
import { ControlServer } from '../../../src/control/index.js'
import { silentLogger } from '../../../src/runtime.js'
import { FakeTarget } from '../../control/fake-target.js'
import type { SeededRandom } from '../../sim/random.js'
import { harmBytes, harmJson, harmText, TEXTS } from '../mutate.js'
import type { Session, Target } from '../target.js'

/** Every command with its flags, as words. */
function linesOf(definitions: readonly CommandDefinition[], before: readonly string[] = []): string[][] {
  return definitions.flatMap((definition) => {
    const words = [...before, definition.name]
    const flags = (definition.options ?? []).flatMap(({ flags: text }) => text.split(/[ ,]+/))
    return [words, [...words, ...flags], ...linesOf(definition.commands ?? [], words)]
  })
}

const LINES = linesOf(COMMANDS)

/** Words behind each other, a zero byte between two. */
function harmLine(random: SeededRandom): Uint8Array {
  const words = random.pick(LINES).filter(() => random.chance(0.9))
  for (let more = random.below(3); more > 0; more--) {
    const word = random.chance(0.5)
      ? random.pick(TEXTS)
      : Buffer.from(harmText(random, ['--json', '--home', 'a/b', '1h', '5'])).toString()
    words.splice(random.below(words.length + 1), 0, word.replaceAll('\0', ''))
  }
  return Buffer.from(words.join('\0'))
}

async function commandLines(): Promise<Session> {
  return {
    make: harmLine,
    take: async (input) => {
      const program = createProgram({
        version: '0',
        columns: 80,
        writeOut: () => undefined,
        runner: async () => undefined
      })
      await parse(program, input.length === 0 ? [] : Buffer.from(input).toString().split('\0'))
      return undefined
    }
  }
}

/** Longest wait for an answer to half a request, ms. */
const ANSWER_MS = 300
const ROUTES: ReadonlyArray<readonly [method: string, path: string, body?: unknown]> = [
  ['GET', '/v1/daemon'],
  ['GET', '/v1/status'],
  ['GET', '/v1/peers'],
  ['GET', '/v1/entries?path=styles'],
  ['GET', '/v1/body?path=a.sld'],
  ['PUT', '/v1/body?path=a.sld&exec=true', 'text'],
  ['POST', '/v1/bodies', { files: [{ path: 'a', body: 'dGV4dA==' }] }],
  ['DELETE', '/v1/entry?path=a.sld'],
  ['POST', '/v1/moves', { from: 'a.sld', to: 'b.sld', before: 'c' }],
  ['GET', '/v1/history?path=a.sld'],
  ['GET', '/v1/verify?waitMs=5'],
  ['GET', '/v1/inspect/log?limit=5'],
  ['GET', `/v1/inspect/record/${'ab'.repeat(32)}`],
  ['GET', '/v1/inspect/entry?path=a.sld'],
  ['POST', '/v1/invites', { role: 'author', expiresMs: 5, uses: 1 }],
  ['DELETE', `/v1/invites/${'ab'.repeat(16)}`],
  ['POST', '/v1/invites', { role: 'author', expiresMs: 5, uses: 1, scope: ['a/b', 'c'] }],
  ['GET', '/v1/invites'],
  ['POST', '/v1/removals', { node: 'x', since: 3 }],
  ['GET', '/v1/appointment-request'],
  ['POST', '/v1/appointments', { certificate: 'gva1-AAAA' }],
  ['GET', '/v1/secrets'],
  ['POST', '/v1/secrets'],
  ['DELETE', '/v1/secrets'],
  ['POST', '/v1/key'],
  ['GET', '/v1/salvage'],
  ['GET', `/v1/salvage/${'ab'.repeat(32)}/${'cd'.repeat(32)}`],
  ['GET', '/v1/quarantine'],
  ['POST', '/v1/quarantine/retries', { what: 'a' }],
  ['POST', '/v1/quarantine/drops', { what: 'a' }],
  ['GET', '/v1/backup'],
  ['POST', '/v1/losses/acknowledged'],
  ['POST', '/v1/scrubs'],
  ['GET', '/v1/events']
]

function requestOf([method, path, value]: (typeof ROUTES)[number], body?: Uint8Array): Buffer {
  const bytes = body ?? Buffer.from(value === undefined ? '' : JSON.stringify(value))
  const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${bytes.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes])
}

const GOOD = ROUTES.map((route) => requestOf(route))

function harmRequest(random: SeededRandom): Uint8Array {
  if (random.chance(0.4)) return harmBytes(random, GOOD)
  const [method, path, value] = random.pick(ROUTES)
  if (value !== undefined && random.chance(0.7)) return requestOf([method, path], harmJson(random, [value]))
  const [route, query] = path.split('?') as [string, string?]
  const harmed = encodeURI(random.pick(TEXTS).toWellFormed().slice(0, 8_000))
  const asked = random.chance(0.5) ? `${route}?${query ?? ''}${harmed}` : `${route}/${harmed}?${query ?? ''}`
  return requestOf([method, asked, value])
}

async function controlRequests(): Promise<Session> {
  const home = mkdtempSync(join(tmpdir(), 'gv-fuzz-'))
  process.once('exit', () => rmSync(home, { recursive: true, force: true }))
  const target = new FakeTarget()
  target.add('a.sld', 'text')
  const server = new ControlServer({ target, logger: silentLogger }, { home, version: '0' })
  await server.start()
  return {
    make: (random) => {
      // it collects what it was asked
      target.calls.length = 0
      return harmRequest(random)
    },
    take: async (input) => {
      const answer = await answerTo(server.socketPath!, input)
      if (answer === '') return 'no answer'
      const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(answer) ?? []
      if (status === undefined || status === '500') throw new Error(`the server answered ${answer.slice(0, 400)}`)
      // what follows a request that was carried out may be refused in its own right
      return Number(status) < 400 || target.calls.length > 0 ? undefined : status
    },
    state: () => JSON.stringify([...target.files.keys(), [...target.invites.keys()], target.stopped]),
    close: async () => {
      await server.stop()
      rmSync(home, { recursive: true, force: true })
    }
  }
}

/** The first bytes of the answer. */
function answerTo(path: string, input: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (text: string): void => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(ANSWER_MS, () => end(''))
    socket.once('data', (data) => end(data.toString('latin1')))
    socket.once('error', () => end(''))
    socket.once('close', () => end(''))
    socket.end(input)
  })
}

export const PEOPLE: readonly Target[] = [
  { name: 'command line', share: 2, codes: ['usage', 'config-invalid'], open: commandLines },
  { name: 'control request', share: 3, codes: [], open: controlRequests }
]
