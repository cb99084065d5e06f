/** Looks for canaries wherever the nodes of a LAN left something. */
import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Canaries, type Found } from './canaries.js'
import { sum, type Captured } from './lan-capture.js'
import type { Place, SecurityLan } from './lan-security-world.js'
import { entropyOf } from './pcap.js'

/** Only of longer streams the entropy tells something, bytes. */
const LONG_STREAM_BYTES = 65_536
/** Of what looks random. Text has about 5, hexadecimal digits 4, bits a byte. */
const LEAST_ENTROPY = 7.9

export async function search(world: SecurityLan, plant: Place | undefined): Promise<void> {
  const { secrets, words } = world.secrets
  for (const node of world.nodes)
    for (const words of [['status'], ['peers'], ['invite', 'ls'], ['rotate', 'ls'], ['inspect', 'log']])
      if (words[0] !== 'invite' || node === world.admin) await world.say(node, ...words, '--json')
  const control = await tellControl(world)
  if (plant !== undefined) await plantSecret(world, plant)
  process.stdout.write(`looked for: ${secrets.count} keys, secrets and tokens, and ${words.count} planted words\n`)

  world.none('secrets in arguments and environment of daemons', world.secrets.inProcesses(world.nodes))
  for (const node of world.nodes) await node.stop()
  searchTexts(world)
  searchHomes(world)
  const captured = await world.capture?.finish()
  if (captured !== undefined) searchCapture(world, captured, control)
}

/** What is said in clear must be found, or the search of the capture is worth nothing. */
async function tellControl(world: SecurityLan): Promise<Canaries> {
  const control = new Canaries()
  const text = `control ${randomBytes(16).toString('hex')}`
  control.add('control', Buffer.from(text))
  await world.tellInClear(world.admin, world.author, text)
  return control
}

async function plantSecret(world: SecurityLan, plant: Place): Promise<void> {
  const { admin, author } = world
  const secret = readFileSync(join(admin.home, 'node.key'), 'utf8').trim()
  const plants: Record<Place, () => void | Promise<void>> = {
    capture: () => world.tellInClear(admin, author, Buffer.from(secret, 'hex').toString('base64')),
    log: () => appendFileSync(author.logFile, `a line with ${secret}\n`),
    output: () => void world.output.push(secret),
    home: () => writeFileSync(join(author.home, 'index', 'planted'), Buffer.from(secret, 'hex')),
    process: async () => {
      world.environment = { PLANTED: secret }
      await author.restart()
    }
  }
  await plants[plant]()
}

function searchTexts(world: SecurityLan): void {
  const { secrets, words } = world.secrets
  const texts = world.nodes
    .flatMap(({ name, logFile }) => [logFile, world.stdoutOf(name)])
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file))
  const logs = Buffer.concat(texts)
  world.check(`bytes of logs and stdout: ${logs.length}`, logs.length > 0, 'there are none to search')
  world.none('secrets in them', secrets.search(logs))
  // of paths and names a log may speak to the user of its node, of what is in the files never
  const contents = words.search(logs).filter(({ what }) => what.endsWith(' file'))
  world.none('words out of files in them', contents)
  world.none(
    `secrets in ${world.output.length} outputs of commands`,
    secrets.search(Buffer.from(world.output.join('\n')))
  )
}

function searchHomes(world: SecurityLan): void {
  const { files, bytes, found, inPlace } = world.secrets.inHomes(world.nodes)
  world.none(`secrets in ${files} files (${bytes} bytes) of homes, but for those meant for them`, found)
  world.check(`secrets in the files meant for them: ${inPlace}`, inPlace > 0, 'the search sees nothing at all')
}

function searchCapture(world: SecurityLan, captured: Captured, control: Canaries): void {
  const { secrets, words } = world.secrets
  const { frames, lost, streams, files } = captured
  const bytes = sum(streams.map((stream) => stream.bytes.length))
  const missing = sum(streams.map((stream) => stream.missing))
  world.check(
    `captured: ${frames} frames, ${streams.length} TCP streams of ${bytes} bytes, lost: ${lost} frames, ${missing} bytes`,
    lost === 0 && missing === 0 && bytes > 0,
    'nothing may be lost'
  )
  const hay = [...files, ...streams.map((stream) => stream.bytes)]
  const all = (canaries: Canaries): Found[] => hay.flatMap((each) => canaries.search(each))
  world.check(
    `a text told in clear, found: ${sum(all(control).map(({ count }) => count))}`,
    all(control).length === 2,
    'must be 2'
  )
  world.none('secrets in the capture', all(secrets))
  world.none('words of the catalog in the capture', all(words))
  const long = streams.filter((stream) => stream.bytes.length >= LONG_STREAM_BYTES)
  const least = Math.min(...long.map((stream) => entropyOf(stream.bytes)))
  world.check(
    `least entropy of ${long.length} streams over ${LONG_STREAM_BYTES} bytes: ${least.toFixed(3)} bits a byte`,
    least >= LEAST_ENTROPY,
    `at least ${LEAST_ENTROPY}`
  )
}
