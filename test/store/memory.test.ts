import { MemoryStore } from '../../src/store/index.js'
import { storeContract } from '../contract/store.js'

storeContract('in memory', async () => {
  const store = new MemoryStore()
  return { store, dispose: () => store.close() }
})
