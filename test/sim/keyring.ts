/** The keys and secrets in a simulated home. They are durable when they are written, and nothing befalls them here. */
import { nodeIdOf, type KeyPair } from '../../src/identity/index.js'
import type { NextKey } from '../../src/node/next-key.js'
import type { NodeId } from '../../src/runtime.js'
import { keysNamed } from './signatures.js'

export class Keyring implements NextKey {
  readonly #name: string
  keys: KeyPair
  node: NodeId
  /** What the node goes on as once its peers know it. */
  next: KeyPair | undefined
  /** Keys it had before, the oldest in front. */
  readonly former: KeyPair[] = []
  /** Secrets of the cluster, the one that was learnt last in front. */
  secrets: readonly Uint8Array[]

  constructor(name: string, secrets: readonly Uint8Array[] = []) {
    this.#name = name
    this.keys = keysNamed(name)
    this.node = nodeIdOf(this.keys.publicKey)
    this.secrets = secrets
  }

  exists(): Promise<boolean> {
    return Promise.resolve(this.next !== undefined)
  }

  ensure(): Promise<KeyPair> {
    this.next ??= keysNamed(`${this.#name} then ${this.former.length}`)
    return Promise.resolve(this.next)
  }

  switch(): void {
    this.former.push(this.keys)
    this.keys = this.next!
    this.node = nodeIdOf(this.keys.publicKey)
    this.next = undefined
  }

  /** Whether this is a key the node has, or had. */
  has(key: Uint8Array): boolean {
    return [this.keys, ...this.former].some(({ publicKey }) => Buffer.compare(publicKey, key) === 0)
  }
}
