import { test } from 'node:test'
import assert from 'node:assert/strict'
import { Lab, meet } from './lab.js'
test('x', async () => {
  const [a,b] = await new Lab().nodes(2)
  await a!.put('d/f','1'); await b!.put('d/f','2')
  await meet([a!,b!])
  console.log(await a!.tree(), await b!.tree(), a!.losers('d/f'), a!.replica.catalog.root()===b!.replica.catalog.root())
})
