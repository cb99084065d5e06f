/** A bug that is not in the product: what to change in a copy of the sources to have it, and how it was found. */
export interface Edit {
  /** Below `src/`. */
  readonly file: string
  /** Stands there exactly once. */
  readonly before: string
  readonly after: string
}

export interface PlantedBug {
  readonly name: string
  /** The failure of this field that it is an example of. */
  readonly is: string
  readonly edits: readonly Edit[]
  /** Where the hunt for it begins; absent: at 1. */
  readonly from?: number
  /** The first seed that found it, from there on. */
  readonly seed: number
  /** A part of what was said then. */
  readonly said: RegExp
}
