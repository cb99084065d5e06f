// The documents of the benchmark: the same in every run. A value is "<version>|<xml>", 1,024 characters, half of them random hex.
const words = new Uint32Array(1 << 14)

/** `length` hexadecimal digits of a linear congruential generator; the high half of each step, where it is best. */
function digits(seed, length) {
  const count = Math.ceil(length / 4)
  let state = (seed ^ 0x9e3779b9) >>> 0
  const parts = new Uint16Array(words.buffer, 0, count)
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    parts[i] = state >>> 16
  }
  return Buffer.from(parts.buffer, 0, count * 2)
    .toString('hex')
    .slice(0, length)
}

export const keyAt = (i) => `ws/${i % 64}/layer/${i}`
export const versionOf = (value) => Number.parseInt(value, 10) || 0

export function doc(key, version, size = 1_024) {
  let seed = version
  for (let i = 0; i < key.length; i++) seed = (Math.imul(seed, 31) + key.charCodeAt(i)) | 0
  const head = `${version}|<layer><name>${key}</name><type>VECTOR</type><style>s${seed & 63}</style><abstract>`
  const tail = '</abstract></layer>'
  return head + digits(seed, Math.max(0, size - head.length - tail.length)) + tail
}
