/** What the root signs after the founding: who is an admin, whatever became of that key before. */
import { bytesOf, encodeAppointment, encodeCbor, type Appointment } from '../wire/index.js'
import { verify, type KeyPair } from './keys.js'

const DOMAIN = Buffer.from('grapevine/appoint/1\0')

function signed(cluster: string, appointment: Omit<Appointment, 'signature'>): Uint8Array {
  return Buffer.concat([DOMAIN, encodeCbor({ c: bytesOf(cluster), ...encodeAppointment(appointment) })])
}

export function signAppointment(
  root: KeyPair,
  cluster: string,
  appointment: Omit<Appointment, 'signature'>
): Uint8Array {
  return root.sign(signed(cluster, appointment))
}

export function isAppointed(root: Uint8Array, cluster: string, appointment: Appointment): boolean {
  return verify(root, signed(cluster, appointment), appointment.signature)
}
