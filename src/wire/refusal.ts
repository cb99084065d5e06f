import { GrapevineError } from '../errors.js'

/** The error of a record that is not well formed. */
export function refuseRecord(what: string, facts: Record<string, unknown> = {}, cause?: unknown): GrapevineError {
  return new GrapevineError('record-malformed', `a record ${what}`, {
    next: 'the node that sent it is faulty or hostile; its other records are not affected',
    facts,
    cause
  })
}
