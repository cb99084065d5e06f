/** The root above the admins: moved out of the home, asked for an appointment, obeyed when it makes one. */
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AppointedView } from '../control/target.js'
import { diskError, GrapevineError, isErrno } from '../errors.js'
import { clusterIdOf, isAppointed, keyPairOf, nodeIdOf, SEED_BYTES, signAppointment } from '../identity/index.js'
import type { Replica } from '../replica/index.js'
import {
  bytesOf,
  decodeAppointmentRequest,
  decodeCertificate,
  encodeAppointmentRequest,
  encodeCertificate
} from '../wire/index.js'
import { checkPrivate, disownRoot, readHome, ROOT_FILE, type Home } from './home.js'

/** What the holder of the root key is given, so that this node becomes an admin whatever became of it before. */
export function appointmentRequest(replica: Replica, home: Home): string {
  const { members } = replica
  const key = home.keys.publicKey
  return encodeAppointmentRequest({
    cluster: home.cluster.cluster,
    key,
    name: members.get(key)?.name ?? home.cluster.nodeName,
    serial: members.lastSerial + 1,
    overrides: members.removalsOf(key).slice(-MAX_OVERRIDES)
  })
}

/** Removals a request names. */
const MAX_OVERRIDES = 64

/** Signs a request with the root key in `file`; needs no home. Throws `token-malformed`, `token-foreign`, `home-unsafe`. */
export async function signRequest(options: {
  file: string
  request: string
}): Promise<{ certificate: string; node: string; name: string }> {
  const request = decodeAppointmentRequest(options.request)
  const root = keyPairOf(await readRootKey(options.file))
  if (clusterIdOf(root.publicKey) !== request.cluster)
    throw new GrapevineError(
      'token-foreign',
      `the key in ${options.file} is not the root of the cluster of the request`,
      {
        next: 'use the root key of that cluster'
      }
    )
  const signature = signAppointment(root, request.cluster, request)
  return { certificate: encodeCertificate({ ...request, signature }), node: nodeIdOf(request.key), name: request.name }
}

/** Makes an appointment known. Throws `token-malformed`, `token-foreign`. */
export async function appoint(replica: Replica, home: Home, text: string): Promise<AppointedView> {
  const certificate = decodeCertificate(text)
  const { cluster, key, name, serial, overrides, signature } = certificate
  if (cluster !== home.cluster.cluster || !isAppointed(replica.members.root!, cluster, certificate))
    throw new GrapevineError('token-foreign', 'the root of this cluster did not make this appointment', {
      next: 'have the request of "grapevine root request" signed with the root key of this cluster'
    })
  await replica.writeMembers(() => [{ k: 'appoint', key, name, serial, overrides, signature }])
  const role = replica.members.get(key)?.role
  if (role !== 'admin')
    throw new GrapevineError('role-forbids', `${name} was removed again since this appointment was asked for`, {
      next: 'make another request on that node, and have it signed'
    })
  return { node: nodeIdOf(key), name, role }
}

/**
 * Moves the root key out of a home into a file of its own, which must not exist. Until that is durable the home keeps it.
 * Throws `home-missing`, `not-found` when the home has none (any more), `not-empty`.
 */
export async function moveRoot(options: { home: string; file: string }): Promise<{ file: string; cluster: string }> {
  const home = await readHome(options.home)
  const inHome = join(options.home, ROOT_FILE)
  const seed = await readFile(inHome, 'utf8').catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw diskError(error, 'store-failed', `${inHome} cannot be read`)
    throw new GrapevineError('not-found', 'this home does not hold the root key', {
      next: 'it is in the home that founded the cluster, or was moved out of it before'
    })
  })
  try {
    const file = await open(options.file, 'wx', 0o600)
    await file
      .writeFile(seed)
      .then(() => file.sync())
      .finally(() => file.close())
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw diskError(error, 'store-failed', `${options.file} cannot be written`)
    throw new GrapevineError('not-empty', `${options.file} exists already`, { next: 'choose another file' })
  }
  await disownRoot(options.home)
  await rm(inHome)
  return { file: options.file, cluster: home.cluster.cluster }
}

async function readRootKey(file: string): Promise<Uint8Array> {
  try {
    await checkPrivate(file)
    const seed = bytesOf((await readFile(file, 'utf8')).trim())
    if (seed.length === SEED_BYTES) return seed
  } catch (error) {
    if (isErrno(error, 'ENOENT'))
      throw new GrapevineError('not-found', `there is no file ${file}`, { next: 'name the file with the root key' })
    throw diskError(error, 'store-failed', `${file} cannot be read`)
  }
  throw new GrapevineError('store-damaged', `${file} does not hold a root key`, {
    next: 'name the file that "grapevine root move" wrote, or root.key of the home that founded the cluster'
  })
}
