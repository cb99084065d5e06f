/**
 * Names as targets meet them. What no system can hold, or what could break out of a directory, is refused by the rule of
 * wire/ that holds for every node; what only some systems cannot hold is taken and remarked upon, because real
 * directories contain it.
 */
import { GrapevineError } from '../errors.js'
import { nameProblem, pathProblem } from '../wire/index.js'

/** Enough of a name to recognise it. */
const MAX_SHOWN_CHARACTERS = 300

/** Why a name will not work everywhere. */
export interface PortabilityNote {
  readonly system: 'windows' | 'macos'
  readonly reason: string
}

const WINDOWS_CHARACTERS = /[<>:"|?*]/
const WINDOWS_DEVICES = /^(con|prn|aux|nul|conin\$|conout\$|com[1-9¹²³]|lpt[1-9¹²³])(\..*)?$/i
const SHOWN_AS_IS = /^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\ufffd\\\p{Surrogate}]$/u

/** The refusal of one name of a path, or null when it may be used. */
export function checkName(name: string): GrapevineError | null {
  const reason = nameProblem(name)
  return reason === undefined ? null : nameRefused(name, reason)
}

/** The refusal of a whole `/`-separated relative path, or null. */
export function checkPath(path: string): GrapevineError | null {
  const reason = pathProblem(path)
  return reason === undefined ? null : nameRefused(path, reason)
}

/** `reason` continues the sentence "the name X ...". */
export function nameRefused(name: string | Uint8Array, reason: string): GrapevineError {
  const shown = showName(name).slice(0, MAX_SHOWN_CHARACTERS)
  return new GrapevineError('name-not-allowed', `the name "${shown}" ${reason}`, {
    next: 'rename it; until then it is left out',
    facts: { name: shown, reason }
  })
}

/** What other systems will say to a name that is allowed. Empty when every common system can hold it. */
export function portability(name: string): PortabilityNote[] {
  const notes: PortabilityNote[] = []
  const windows = (reason: string) => notes.push({ system: 'windows', reason })
  if (WINDOWS_DEVICES.test(name)) windows('is the name of a device')
  if (WINDOWS_CHARACTERS.test(name)) windows('contains one of < > : " | ? *')
  if (/[. ]$/.test(name)) windows('ends in a dot or a space')
  if (name.normalize('NFC') !== name) {
    notes.push({
      system: 'macos',
      reason: 'is not in Unicode normal form C; its composed form counts as the same name'
    })
  }
  return notes
}

/** A name made safe for a terminal, a log and a page: what cannot be printed is shown as `\xNN` or `\u{N}`. */
export function showName(name: string | Uint8Array): string {
  if (typeof name !== 'string') return showBytes(name)
  let shown = ''
  for (const character of name) shown += SHOWN_AS_IS.test(character) ? character : escaped(character.codePointAt(0)!)
  return shown
}

function showBytes(bytes: Uint8Array): string {
  try {
    return showName(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return Array.from(bytes, (byte) =>
      byte > 0x1f && byte < 0x7f && byte !== 0x5c ? String.fromCharCode(byte) : escaped(byte)
    ).join('')
  }
}

function escaped(code: number): string {
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
