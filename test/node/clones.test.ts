import { test } from 'node:test'
import { withCluster } from '../e2e/cluster.js'
import { SCENARIOS } from './clones.js'

for (const { name, run } of SCENARIOS) test(name, withCluster(run))
