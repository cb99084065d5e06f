/**
 * One encryption for each secret of the cluster, offered under a name of its own, so that both sides find the newest that
 * they share, and a secret can come and go while connections last.
 */
import { noise } from '@libp2p/noise'
import type { Connection, ConnectionEncrypter } from '@libp2p/interface'
import { secretIdOf } from '../identity/index.js'
import { corked } from './corked.js'

/** Secrets of 32 bytes, the preferred first. */
export interface Secrets {
  /** Open every door. */
  readonly open: readonly Uint8Array[]
  /** Retired: a member that was away knows no other, and may come in to learn the present one. */
  readonly closed: readonly Uint8Array[]
}

type Noise = ReturnType<typeof noise>
type Components = Parameters<Noise>[0]

/** Hex digits of a secret's id that are shown to whoever connects. */
const SHOWN_ID = 8

export function encryptionOf(secret: Uint8Array): string {
  return `/grapevine/noise/${secretIdOf(secret).slice(0, SHOWN_ID)}`
}

/** Noise with the secret as prologue: who does not know it gets no further. */
export function encrypter(secret: Uint8Array): (components: Components) => ConnectionEncrypter {
  const make = corked(noise({ prologueBytes: secret }))
  return (components) => Object.assign(make(components), { protocol: encryptionOf(secret) })
}

/** A retired secret is accepted and never offered. */
function inboundOnly(encryption: ConnectionEncrypter): ConnectionEncrypter {
  return Object.assign(encryption, {
    secureOutbound: () => Promise.reject(new Error('this secret of the cluster is retired'))
  })
}

/** Puts these in the place of whatever the running host offered before. */
export function offer(table: Map<string, ConnectionEncrypter>, components: Components, secrets: Secrets): void {
  table.clear()
  for (const secret of secrets.open) table.set(encryptionOf(secret), encrypter(secret)(components))
  for (const secret of secrets.closed) table.set(encryptionOf(secret), inboundOnly(encrypter(secret)(components)))
}

/** Whether a connection was made with one of these. */
export function madeWith(secrets: readonly Uint8Array[], connection: Connection): boolean {
  return secrets.some((secret) => encryptionOf(secret) === connection.encryption)
}
