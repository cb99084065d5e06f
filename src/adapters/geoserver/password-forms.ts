/** How passwords are named and written in a data directory. Never holds one. */

export type PasswordForm = 'plain' | 'encrypted' | 'parameter' | 'reference'

/**
 * Names under which stores keep what opens a door: `passwd`, and with whatever before it, as in `WFSDataStoreFactory:PASSWORD`,
 * `ssl_password`, `trustStorePassword`, `s3.secretKey`.
 */
const SECRET_NAME =
  /(?:passwd|password|passphrase|pwd|secret|secret[_-]?(?:access[_-]?)?key|api[_-]?key|access[_-]?token|auth[_-]?token)$/i

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name)
}

/** `${NAME}` alone, as GeoServer fills it from the environment, with or without the mark of a plain password. */
const PARAMETER = /^(?:plain:)?\$\{[^{}\s]+\}$/
export const REFERENCE_PREFIX = 'grapevine-secret:'

export function formOf(password: string): PasswordForm {
  if (PARAMETER.test(password)) return 'parameter'
  if (password.startsWith(REFERENCE_PREFIX)) return 'reference'
  return /^(?:crypt1|crypt2|digest1):/.test(password) ? 'encrypted' : 'plain'
}
