/** Strings that must not be found where they do not belong, and the search for all of them at once, in every disguise. */

/** Shorter ones would be found by chance, bytes. */
const SHORTEST = 16

export interface Found {
  readonly what: string
  readonly count: number
}

interface Form {
  readonly what: string
  readonly bytes: Buffer
}

/** Each is looked for as it is, in hexadecimal of both cases, and in base64 and base64url at every offset. */
export class Canaries {
  /** By the first two bytes of a form, so that one pass over a haystack looks for all. */
  readonly #forms = new Map<number, Form[]>()
  readonly #starts = new Uint8Array(65_536)
  readonly #known = new Set<string>()

  get count(): number {
    return this.#known.size
  }

  has(bytes: Uint8Array): boolean {
    return this.#known.has(Buffer.from(bytes).toString('hex'))
  }

  add(what: string, bytes: Uint8Array): void {
    if (bytes.length < SHORTEST) throw new Error(`the canary ${what} is too short to be told from chance`)
    if (this.has(bytes)) return
    this.#known.add(Buffer.from(bytes).toString('hex'))
    for (const form of formsOf(bytes)) {
      const start = form.readUInt16LE(0)
      this.#starts[start] = 1
      this.#forms.set(start, [...(this.#forms.get(start) ?? []), { what, bytes: form }])
    }
  }

  /** How often each is in `hay`; those that are not are left out. */
  search(hay: Buffer): Found[] {
    const counts = new Map<string, number>()
    for (let at = 0, end = hay.length - 1; at < end; at++) {
      const start = hay[at]! | (hay[at + 1]! << 8)
      if (this.#starts[start] === 0) continue
      for (const { what, bytes } of this.#forms.get(start)!)
        if (bytes.equals(hay.subarray(at, at + bytes.length))) counts.set(what, (counts.get(what) ?? 0) + 1)
    }
    return [...counts].map(([what, count]) => ({ what, count }))
  }
}

function formsOf(bytes: Uint8Array): Buffer[] {
  const plain = Buffer.from(bytes)
  const hex = plain.toString('hex')
  const base64 = [0, 1, 2].map((shift) => innerBase64(plain, shift))
  const url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))
  const texts = new Set([hex, hex.toUpperCase(), ...base64, ...url])
  return [plain, ...[...texts].map((text) => Buffer.from(text))]
}

/** What the bytes look like within longer base64, `shift` bytes behind a full group: only what their neighbours cannot change. */
function innerBase64(bytes: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
  return text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6))
}
