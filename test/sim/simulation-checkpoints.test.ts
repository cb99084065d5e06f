/** Worlds in which history is replaced by checkpoints all the time. */
import { simulationTests } from './run.js'
import { CHECKPOINTS_FROM } from './world.js'

simulationTests(CHECKPOINTS_FROM, 40)
