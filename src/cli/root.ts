/** `grapevine root`: the key above the admins, which is best kept on no network at all. */
import { resolve } from 'node:path'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { withReader } from './reading.js'
import { mustBeStopped } from './stopped.js'
import { safe } from './terminal.js'

async function request(_options: object, context: Context): Promise<void> {
  const answer = await withReader(context, (reader) => reader.appointmentRequest())
  await print(context, answer, () => `${answer.request}\n`)
}

async function sign(options: { request: string; key: string }, context: Context): Promise<void> {
  const lifecycle = await context.lifecycle()
  const signed = await lifecycle.signRequest({ file: resolve(context.cwd, options.key), request: options.request })
  await print(context, signed, () => `${signed.certificate}\n`)
  if (!context.json) await context.err.write(`grapevine: makes ${safe(signed.name)} an admin: ${signed.node}\n`)
}

async function appoint({ certificate }: { certificate: string }, context: Context): Promise<void> {
  const view = await context.daemon.appoint(certificate)
  await print(context, view, () => `${safe(view.name)} is an admin: ${view.node}\n`)
}

async function move({ file }: { file: string }, context: Context): Promise<void> {
  await mustBeStopped(context, 'root move')
  const lifecycle = await context.lifecycle()
  const moved = await lifecycle.moveRoot({ home: context.home, file: resolve(context.cwd, file) })
  await print(
    context,
    moved,
    () => `the root key is in ${safe(moved.file)} alone now: keep it offline, and a copy of it\n`
  )
}

export const definition: CommandDefinition = {
  name: 'root',
  about: 'the key above the admins: keep it offline, make an admin with it',
  commands: [
    {
      name: 'move',
      about: 'move the root key out of the stopped home that founded the cluster',
      arguments: [{ name: '<file>', about: 'where to; must not exist' }],
      run: move
    },
    { name: 'request', about: 'print what the holder of the root key signs to make this node an admin', run: request },
    {
      name: 'sign',
      about: 'sign such a request, anywhere, without a home; prints the certificate',
      arguments: [{ name: '<request>', about: 'the line that `grapevine root request` printed' }],
      options: [{ flags: '--key <file>', about: 'the file with the root key', default: 'root.key' }],
      run: sign
    },
    {
      name: 'appoint',
      about: 'make the certificate known, at any node: who is named in it is an admin from then on',
      arguments: [{ name: '<certificate>', about: 'the line that `grapevine root sign` printed' }],
      run: appoint
    }
  ]
}
