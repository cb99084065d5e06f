import { adapterContract } from '../../contract/adapter.js'
import { makeWorld } from './world.js'

adapterContract('a directory', () => makeWorld())
