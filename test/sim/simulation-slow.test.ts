/** Worlds of slow machines: whatever is long pauses often, and the world goes on in the middle of it. */
import { simulationTests } from './run.js'
import { SLOW_FROM } from './world.js'

simulationTests(SLOW_FROM, 40)
