/** Work that goes in short steps, as generators: between two of them others may run, or none do. */

/** Has all steps done in one go. Throws what they throw. */
export function atOnce<T>(steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}
