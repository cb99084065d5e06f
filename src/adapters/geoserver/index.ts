export { Classifier, type FileClass } from './classify.js'
export { Inventory } from './inventory.js'
export { readFacts, type FileFacts } from './objects.js'
