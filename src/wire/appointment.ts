/** The texts by which the root, which may be kept on no network at all, is asked for an admin and names one. */
import { badText, openText, sealText, type Envelope } from './envelope.js'
import { bytesOf } from './fields.js'
import { encodeAppointment, readAppointment, type Appointment } from './member-ops.js'

/** Text length of either, characters. */
export const MAX_APPOINTMENT_LENGTH = 8_192

const REQUEST: Envelope = {
  prefix: 'gvq1-',
  maxLength: MAX_APPOINTMENT_LENGTH,
  what: 'request for an appointment',
  next: 'copy the whole line that "grapevine root request" printed'
}

const CERTIFICATE: Envelope = {
  prefix: 'gva1-',
  maxLength: MAX_APPOINTMENT_LENGTH,
  what: 'appointment',
  next: 'copy the whole line that "grapevine root sign" printed'
}

export interface AppointmentRequest extends Omit<Appointment, 'signature'> {
  /** 32 hex. */
  readonly cluster: string
}

export function encodeAppointmentRequest(request: AppointmentRequest): string {
  return sealText(REQUEST, { c: bytesOf(request.cluster), ...encodeAppointment(request) })
}

/** Throws `token-malformed`. */
export function decodeAppointmentRequest(text: string): AppointmentRequest {
  const fields = openText(REQUEST, text)
  return { cluster: fields.hex('c', 16), ...readAppointment(fields, (what) => badText(REQUEST, what)) }
}

export function encodeCertificate(certificate: AppointmentRequest & Appointment): string {
  const { cluster, signature } = certificate
  return sealText(CERTIFICATE, { c: bytesOf(cluster), ...encodeAppointment(certificate), sig: signature })
}

/** Throws `token-malformed`. */
export function decodeCertificate(text: string): AppointmentRequest & Appointment {
  const fields = openText(CERTIFICATE, text)
  const appointment = readAppointment(fields, (what) => badText(CERTIFICATE, what))
  return { cluster: fields.hex('c', 16), ...appointment, signature: fields.bytes('sig', 64) }
}
