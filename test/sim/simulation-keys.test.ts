/** Worlds in which keys and secrets change, and old keys are in the hands of thieves. */
import { simulationTests } from './run.js'
import { KEYS_FROM } from './world.js'

simulationTests(KEYS_FROM, 30)
// both sides of a partition went on under other keys, and neither knew those of the other when it was over
simulationTests(KEYS_FROM + 209, 1)
