/** Redeems invitations at their issuer: check and use are one record, appended and fsynced before the answer. */
import { GrapevineError } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import { MEMBERS_SPACE, type Replica } from '../replica/index.js'
import type { Logger } from '../runtime.js'
import {
  decodeJoinRequest,
  encodeJoinAnswer,
  encodeJoinRefusal,
  isReturnRequest,
  MAX_JOIN_RECORDS,
  type AdmitOp
} from '../wire/index.js'
import type { Home } from './home.js'

export interface JoinServiceDeps {
  readonly replica: Replica
  readonly home: Home
  readonly logger: Logger
}

export class JoinService {
  readonly #deps: JoinServiceDeps

  constructor(deps: JoinServiceDeps) {
    this.#deps = deps
  }

  /** The answer to one join request; a refusal is an answer too. */
  async redeem(frame: Uint8Array, key: Uint8Array): Promise<Uint8Array> {
    const { replica, home, logger } = this.#deps
    const node = nodeIdOf(key)
    try {
      if (isReturnRequest(frame)) return this.#welcomeBack(key)
      const request = decodeJoinRequest(frame)
      // who was admitted and never heard the answer asks again: that costs no further use
      if (!replica.members.isCurrent(key)) {
        let admitted: AdmitOp | undefined
        await replica.writeMembers(() => {
          const open = replica.members.checkRedemption(request, home.keys.publicKey, Date.now())
          const { role, scope, invite } = open
          const name = printable(request.name)
          const { round } = replica.members
          admitted = { k: 'admit', key, role, name, invite, round, ...(scope === undefined ? {} : { scope }) }
          return [admitted]
        })
        logger.info('A node was admitted.', { node, name: admitted!.name, role: admitted!.role })
      }
      return encodeJoinAnswer({ records: this.#membersRecords() })
    } catch (error) {
      if (!(error instanceof GrapevineError)) throw error
      logger.warn('An invitation was refused.', { node, code: error.code })
      return encodeJoinRefusal(error.code)
    }
  }

  /** A member that missed too much to be let in as one learns what it needs for that; a removed one, nothing. */
  #welcomeBack(key: Uint8Array): Uint8Array {
    if (this.#deps.replica.members.get(key) !== undefined) return encodeJoinAnswer({ records: this.#membersRecords() })
    throw new GrapevineError('token-unknown', 'this key belongs to no member', { next: 'ask for an invitation' })
  }

  /** All records of the members space, in an order in which each may be applied. */
  #membersRecords(): Uint8Array[] {
    const { log } = this.#deps.replica
    const rows = [...log.logs()]
      .filter((head) => head.space === MEMBERS_SPACE)
      .flatMap((head) => Array.from({ length: head.applied }, (_, index) => log.row(head.log, index + 1)!))
      .toSorted((a, b) => a.depth - b.depth)
    return rows.slice(0, MAX_JOIN_RECORDS).map((row) => log.readBytes(row))
  }
}

/** A newcomer's name is shown on terminals: nothing but ordinary characters. */
function printable(name: string): string {
  return (
    [...name]
      .filter((character) => character >= ' ' && character !== '\u007f')
      .join('')
      .slice(0, 64) || 'node'
  )
}
