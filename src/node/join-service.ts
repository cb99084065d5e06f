/** Redeems invitations at their issuer: check and use are one record, appended and fsynced before the answer. */
import { GrapevineError } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import { appliedOf, type Replica } from '../replica/index.js'
import type { Logger } from '../runtime.js'
import {
  decodeJoinRequest,
  encodeJoinAnswer,
  encodeJoinRefusal,
  hadIn,
  isReturnRequest,
  type AdmitOp
} from '../wire/index.js'
import type { Home } from './home.js'
import { pageOf } from './join-pages.js'

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
      if (isReturnRequest(frame)) return this.#welcomeBack(frame, key)
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
      const { had = 0 } = request
      // said after the admission is written: whatever this node vouches for from now on waits for the newcomer's word
      const held = had === 0 ? { held: appliedOf(replica.log) } : {}
      return encodeJoinAnswer({ ...pageOf(replica, key, had), ...held })
    } catch (error) {
      if (!(error instanceof GrapevineError)) throw error
      logger.warn('An invitation was refused.', { node, code: error.code })
      return encodeJoinRefusal(error.code)
    }
  }

  /** A member that missed too much to be let in as one learns what it needs for that; a removed one, nothing. */
  #welcomeBack(frame: Uint8Array, key: Uint8Array): Uint8Array {
    const { replica } = this.#deps
    if (replica.members.get(key) !== undefined) return encodeJoinAnswer(pageOf(replica, key, hadIn(frame)))
    throw new GrapevineError('token-unknown', 'this key belongs to no member', { next: 'ask for an invitation' })
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
