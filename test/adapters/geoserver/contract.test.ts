import { adapterContract } from '../../contract/adapter.js'
import { makeWorld } from './world.js'

adapterContract('a GeoServer data directory', () => makeWorld())
