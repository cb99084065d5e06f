/**
 * The passwords that this node fills into stores: from the environment, or from a file that nobody else can read. Names are
 * `workspace/store/key`.
 */
import { readClosed } from '../../closed.js'
import { GrapevineError, isErrno, reasonOf } from '../../errors.js'

/** Largest secrets file, bytes. */
export const MAX_SECRETS_BYTES = 1024 * 1024
const ENVIRONMENT_PREFIX = 'GRAPEVINE_SECRET_'

export type Secrets = (name: string) => string | undefined

/** `coast/depth/passwd` -> `GRAPEVINE_SECRET_COAST_DEPTH_PASSWD`. */
export function environmentNameOf(name: string): string {
  return ENVIRONMENT_PREFIX + name.replace(/[^A-Za-z0-9]/g, '_').toUpperCase()
}

/**
 * Reads the file, a JSON object of names and passwords; an absent one holds none. The environment wins. Throws
 * `home-unsafe` when others may read the file, `config-invalid` when it is no such object.
 */
export async function loadSecrets(
  file: string,
  environment: Readonly<Record<string, string | undefined>>
): Promise<Secrets> {
  const held = await readSecrets(file)
  return (name) => {
    const fromEnvironment = environment[environmentNameOf(name)]
    if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment
    return Object.hasOwn(held, name) ? held[name] : undefined
  }
}

async function readSecrets(file: string): Promise<Record<string, string>> {
  let text: string
  try {
    const tooLarge = (): Error => invalid(file, `is larger than ${MAX_SECRETS_BYTES} bytes`)
    text = await readClosed(file, { maxBytes: MAX_SECRETS_BYTES, what: 'passwords', tooLarge })
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return {}
    throw error instanceof GrapevineError ? error : invalid(file, `cannot be read: ${reasonOf(error)}`)
  }
  return parse(file, text)
}

function parse(file: string, text: string): Record<string, string> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // what the parser says would quote from the file
    throw invalid(file, 'is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(file, 'holds no JSON object')
  const wrong = Object.entries(value).find(([, secret]) => typeof secret !== 'string')
  if (wrong !== undefined) throw invalid(file, `has a value under ${JSON.stringify(wrong[0])} that is no text`)
  return value as Record<string, string>
}

function invalid(file: string, what: string): GrapevineError {
  return new GrapevineError('config-invalid', `${file} ${what}`, {
    next: 'write it as {"workspace/store/passwd": "the password"}, readable by the daemon alone',
    facts: { file }
  })
}
