import type { Migration } from './index.js'

/**
 * Version 1, the first: every value carries a checksum over its key and itself, keys are UTF-8 text. There is nothing
 * older to convert, so only an empty database gets here.
 */
export const checksummedRows: Migration = { version: 1, async run() {} }
