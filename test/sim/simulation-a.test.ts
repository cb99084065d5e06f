/** In two files, because each test file runs in a process of its own. */
import { simulationTests } from './run.js'

simulationTests(1, 100)
