/** What is fuzzed, one thing that takes input from outside each. */
import type { ErrorCode } from '../../src/errors.js'
import type { SeededRandom } from '../sim/random.js'

export interface Target {
  readonly name: string
  /** Its part of all inputs, against that of the others. */
  readonly share: number
  /** Errors that refuse an input; anything else thrown is a crash. */
  readonly codes: readonly ErrorCode[]
  /** Inputs after which everything is made anew, for what keeps what it accepts. */
  readonly life?: number
  open(random: SeededRandom): Promise<Session>
}

/** A target in one state. Every input is bytes, so that one that harms can be kept as it was. */
export interface Session {
  make(random: SeededRandom): Uint8Array
  /** Hands the input over as somebody outside would. Returns a word for what became of it; throws what refuses it. */
  take(input: Uint8Array): unknown
  /** What must be the same before and after an input that was refused. */
  state?(): string | Promise<string>
  /** Called once at the end of a life; throws when what was taken left something wrong. */
  check?(): Promise<void>
  close?(): Promise<void>
}

/** A session of something that keeps nothing. */
export function stateless(make: Session['make'], take: Session['take']): Target['open'] {
  return async () => ({ make, take })
}
