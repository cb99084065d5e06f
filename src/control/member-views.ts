/** What the local API says of members, their invitations and the cluster's secrets. */
import type { NodeId } from '../runtime.js'
import type { HistoryLine } from './target.js'

export type Role = 'admin' | 'author' | 'public' | 'relay'

export interface InviteRequest {
  role: Role
  expiresMs: number
  uses: number
  /** Paths of the catalog to which an author may write, and below; absent: everywhere. */
  scope?: readonly string[]
}

/** An invitation that was made; the token is a secret. */
export interface InviteView {
  token: string
  /** ISO 8601. */
  expires: string
  role: Role
  uses: number
  scope?: readonly string[]
}

/** An invitation as everybody in the cluster knows it: without its secret. */
export interface InvitationView {
  /** 32 hex. */
  invite: string
  state: 'open' | 'used' | 'expired' | 'revoked'
  role: Role
  scope?: readonly string[]
  uses: number
  /** Admissions that used it. */
  used: number
  /** ISO 8601. */
  expires: string
  /** The node that redeems it. */
  issuer: NodeId
}

/** One secret of the cluster that was published since the founding. */
export interface RotationView {
  /** 32 hex; of a hash, never the secret. */
  id: string
  /** How many came before it. */
  generation: number
  /** `published`: some members do not hold it yet; `held`: all do, and older ones still open doors; `used`: it is the only one; `replaced`: by a newer one. */
  phase: 'published' | 'held' | 'used' | 'replaced'
  heldBy: number
  members: number
  /** Members not known to hold it since this node started; of those whose certificates have run out none is waited for. */
  missing: Array<{ node: NodeId; name: string }>
}

/** A node that goes on under another key. */
export interface KeyRotationView {
  node: NodeId
  /** What it is called from then on. */
  next: NodeId
}

/** A member that is an admin by the word of the root. */
export interface AppointedView {
  node: NodeId
  name: string
  role: Role
}

/** A member that was removed. */
export interface RemovalView {
  node: NodeId
  name: string
  /** The role it had. */
  role: Role
  /** What of its logs still counts; of others nothing does. */
  cuts: Array<{ log: string; seq: number }>
  /** Its records held here that count nowhere now. */
  voided: number
}

/** One change of a removed member that counts nowhere. The path is where it would be. */
export interface SalvageLine extends HistoryLine {
  path: string
  id: string
}
