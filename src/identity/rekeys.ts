/** A member goes on under another key: the old one says so in a record, the new one signs that it is held. */
import { bytesOf, encodeCbor } from '../wire/index.js'
import { verify, type KeyPair } from './keys.js'

const DOMAIN = Buffer.from('grapevine/rekey/1\0')

function signed(cluster: string, old: Uint8Array): Uint8Array {
  return Buffer.concat([DOMAIN, encodeCbor({ c: bytesOf(cluster), key: old })])
}

export function signRekey(next: KeyPair, cluster: string, old: Uint8Array): Uint8Array {
  return next.sign(signed(cluster, old))
}

export function isRekey(next: Uint8Array, cluster: string, old: Uint8Array, signature: Uint8Array): boolean {
  return verify(next, signed(cluster, old), signature)
}
