/** Worlds in which a member is removed while it goes on, and others build on what it made. */
import { simulationTests } from './run.js'
import { REMOVALS_FROM } from './world.js'

simulationTests(REMOVALS_FROM, 40)
