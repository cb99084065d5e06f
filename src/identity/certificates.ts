/**
 * How long members may connect. A certificate's life is counted in rounds that admins let pass, not in anybody's time: a
 * cluster whose admins are all away does not stop, and a wrong clock ends nobody's.
 */
import { hexOf } from '../wire/index.js'

/** Rounds a certificate lasts. */
export const CERTIFICATE_ROUNDS = 16
/** From this age on it is renewed, rounds. */
export const RENEWAL_ROUNDS = CERTIFICATE_ROUNDS / 2

export class Certificates {
  /** The present round. */
  round = 0
  /** Key in hex -> round in which its certificate began. */
  readonly begun = new Map<string, number>()

  pass(round: number): void {
    this.round = Math.max(this.round, round)
  }

  renew(keys: readonly Uint8Array[], round: number): void {
    for (const key of keys) {
      const name = hexOf(key)
      this.begun.set(name, Math.max(this.begun.get(name) ?? 0, round))
    }
  }

  /** Rounds passed since the newest certificate of any of these keys began. */
  ageOf(keys: readonly string[]): number {
    return this.round - Math.max(0, ...keys.map((key) => this.begun.get(key) ?? 0))
  }
}
