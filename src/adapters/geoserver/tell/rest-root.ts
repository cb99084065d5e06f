/**
 * A tile layer's file begins with an element that GeoWebCache's REST answers with 500: there the same document is called
 * otherwise. Measured on 2.26.2; what is written to the file in the end is the same bytes.
 */

export interface RestRoot {
  readonly inFile: string
  readonly overRest: string
}

export const TILE_LAYER_ROOT: RestRoot = { inFile: 'GeoServerTileLayer', overRest: 'GeoServerLayer' }

/** The document with its root element called as REST knows it; one with another root as it is. */
export function asOverRest(bytes: Uint8Array, { inFile, overRest }: RestRoot): string {
  const text = Buffer.from(bytes).toString('utf8')
  const begin = new RegExp(`<${inFile}(?=[\\s/>])`).exec(text)
  if (begin === null) return text
  const renamed = text.slice(0, begin.index) + `<${overRest}` + text.slice(begin.index + begin[0].length)
  const end = renamed.lastIndexOf(`</${inFile}`)
  return end < 0 ? renamed : `${renamed.slice(0, end)}</${overRest}${renamed.slice(end + inFile.length + 2)}`
}
