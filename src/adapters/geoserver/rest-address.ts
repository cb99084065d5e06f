/** Where an object of a catalog is found in GeoServer's REST interface. */
import { GrapevineError } from '../../errors.js'
import { showName } from '../names.js'

/** Resources of each kind of store. */
const RESOURCES = {
  datastore: 'featuretypes',
  coveragestore: 'coverages',
  wmsstore: 'wmslayers',
  wmtsstore: 'wmtslayers'
} as const

export type StoreKind = keyof typeof RESOURCES
export type ServiceKind = 'wms' | 'wfs' | 'wcs' | 'wmts' | 'wps' | 'csw'

export type RestAddress =
  | { readonly kind: 'workspace' | 'namespace'; readonly name: string }
  | { readonly kind: 'store'; readonly type: StoreKind; readonly workspace: string; readonly name: string }
  | {
      readonly kind: 'resource'
      readonly type: StoreKind
      readonly workspace: string
      readonly store: string
      readonly name: string
    }
  | { readonly kind: 'layer'; readonly workspace: string; readonly name: string }
  /** Global ones belong to no workspace. */
  | { readonly kind: 'style' | 'layergroup'; readonly workspace: string | null; readonly name: string }
  | { readonly kind: 'service'; readonly service: ServiceKind; readonly workspace: string | null }
  /** Of a workspace, or of the whole server. A nested element that is sent replaces what is there: send the whole. */
  | { readonly kind: 'settings'; readonly workspace: string | null }

/** The path from the context on. Throws `name-not-allowed` for a name that would lead elsewhere. */
export function pathOf(address: RestAddress): string {
  switch (address.kind) {
    case 'workspace':
    case 'namespace':
      return `/rest/${address.kind}s/${named(address.name)}`
    case 'store':
      return `/rest${inWorkspace(address.workspace)}/${address.type}s/${named(address.name)}`
    case 'resource': {
      const store = `/rest${inWorkspace(address.workspace)}/${address.type}s/${segment(address.store)}`
      return `${store}/${RESOURCES[address.type]}/${named(address.name)}`
    }
    case 'layer':
      return `/rest/layers/${named(`${address.workspace}:${address.name}`)}`
    case 'style':
    case 'layergroup':
      return `/rest${inWorkspace(address.workspace)}/${address.kind}s/${named(address.name)}`
    case 'service':
      return `/rest/services/${address.service}${inWorkspace(address.workspace)}/settings`
    case 'settings':
      return `/rest${inWorkspace(address.workspace)}/settings`
  }
}

/** A last name carries the format, so that a name which ends in one of its own is not cut. */
export const named = (name: string): string => `${segment(name)}.xml`

const inWorkspace = (workspace: string | null): string =>
  workspace === null ? '' : `/workspaces/${segment(workspace)}`

function segment(name: string): string {
  // dots alone are taken out of a path before it is sent, and servers refuse a hidden slash
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name) || !name.isWellFormed())
    throw new GrapevineError('name-not-allowed', `${showName(name)} cannot be asked for at GeoServer`, {
      next: 'give the object another name',
      facts: { name: showName(name) }
    })
  return encodeURIComponent(name)
}
