/** The node's own keystore: what one node encrypted no other can read, and no two encryptions are equal. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const KEYSTORE = 'security/geoserver.jceks'
const MASTER_PASSWORD = 'security/masterpw/default/passwd'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

export class Keystore {
  readonly #key: Buffer

  private constructor(key: Buffer) {
    this.#key = key
  }

  /** Makes both files where they are missing. Throws when the keystore belongs to another master password. */
  static async open(root: string): Promise<Keystore> {
    if (!existsSync(join(root, MASTER_PASSWORD))) await write(join(root, MASTER_PASSWORD), randomBytes(16))
    const password = await readFile(join(root, MASTER_PASSWORD))
    const seal = createHash('sha256').update(password).digest()
    if (!existsSync(join(root, KEYSTORE)))
      await write(join(root, KEYSTORE), Buffer.concat([seal, randomBytes(KEY_BYTES)]))
    const stored = await readFile(join(root, KEYSTORE))
    if (!stored.subarray(0, seal.length).equals(seal)) throw new Error('Password verification failed')
    return new Keystore(stored.subarray(seal.length))
  }

  encrypt(plain: string): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv)
    const hidden = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
    return `crypt1:${Buffer.concat([iv, cipher.getAuthTag(), hidden]).toString('base64')}`
  }

  /** The password behind `plain:`, `crypt1:` or nothing. Throws when another keystore encrypted it. */
  decrypt(value: string): string {
    if (value.startsWith('plain:')) return value.slice('plain:'.length)
    if (!value.startsWith('crypt1:')) return value
    const bytes = Buffer.from(value.slice('crypt1:'.length), 'base64')
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, IV_BYTES))
    decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
    return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
}
