/** Where the pieces of checkpoints are kept: by their content, beside the bodies of the catalog. */
import type { BodyRef } from '../../wire/index.js'

export interface Contents {
  /** Durable when it resolves. Throws `disk-full`, `store-failed`. */
  put(bytes: Uint8Array): Promise<BodyRef>
  /** The bytes, as they were. Throws `blob-missing`, `blob-damaged`. */
  get(ref: BodyRef): Promise<Uint8Array>
}
