/** Documents on their way: from a request into memory, from memory into an answer. */
import { qualified, type Catalog, type CatalogObject } from './catalog.js'
import { referencesOf, type Kind } from './kinds.js'
import { RestError } from './rest-error.js'
import { BrokenXml, childOf, element, elementsOf, parseXml, type Xml } from './xml.js'

/** The body of a request. Throws 400 when it is no document of this root. */
export function bodyOf(text: string, root: string): Xml {
  let doc: Xml
  try {
    doc = parseXml(text)
  } catch (error) {
    if (!(error instanceof BrokenXml)) throw error
    throw new RestError(400, `could not read the body: ${error.message}`)
  }
  if (doc.name !== root) throw new RestError(400, `expected <${root}>, not <${doc.name}>`)
  return doc
}

/**
 * What a PUT makes of an object: top-level fields that are sent replace what is there, whole; those that are not sent
 * stay, and so does the id.
 */
export function merged(memory: Xml, sent: Xml): Xml {
  const fields = elementsOf(memory)
  let before = -1
  for (const field of elementsOf(sent)) {
    const known = fields.findIndex(({ name }) => name === field.name)
    if (known >= 0) {
      if (field.name !== 'id') fields[known] = field
      before = known
    } else {
      before = before < 0 ? fields.length : before + 1
      fields.splice(before, 0, field)
    }
  }
  return { ...memory, content: fields }
}

/** References by name become references by id. Throws 500 for one that points at nothing. */
export function resolveReferences(kind: Kind, doc: Xml, catalog: Catalog, workspace: string | null): void {
  for (const reference of referencesOf(kind, doc)) {
    const found = catalog.resolve(reference, workspace)
    if (found === undefined) throw new RestError(500, `Unable to resolve reference ${reference.node.name}`)
    reference.node.content = [element('id', found.id)]
  }
}

/** What a GET answers: references by name and no ids. Throws 500 when one points at nothing. */
export function presented(object: CatalogObject, catalog: Catalog): Xml {
  const doc = structuredClone(object.doc)
  for (const reference of referencesOf(object.kind, doc)) {
    const found = catalog.resolve(reference)
    if (found === undefined) throw new RestError(500, 'Unable to marshal reference with no id or name')
    reference.node.content = [element('name', found.kind === 'workspace' ? found.name : qualified(found))]
  }
  doc.content = doc.content.filter((part) => typeof part === 'string' || part.name !== 'id')
  return doc
}

/** Whether a request's body holds a field at its top. */
export const has = (doc: Xml, name: string): boolean => childOf(doc, name) !== undefined
