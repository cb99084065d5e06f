/** Worlds in which keys and secrets change, and old keys are in the hands of thieves. */
import { simulationTests } from './run.js'
import { KEYS_FROM } from './world.js'

simulationTests(KEYS_FROM, 30)
