/** What a write answers, for people and as JSON. */
import type { WriteReceipt } from '../control/target.js'
import type { Context } from './context.js'
import { print } from './print.js'
import { safe, shortId } from './terminal.js'

export async function printReceipt(context: Context, did: string, receipt: WriteReceipt): Promise<void> {
  await print(context, receipt, () => {
    if (!receipt.changed) return `unchanged ${safe(receipt.path)}\n`
    const record = receipt.record === null ? '' : ` (record ${shortId(receipt.record)}, seq ${receipt.seq ?? '-'})`
    const copies = receipt.replicas === undefined ? '' : `, on ${receipt.replicas} other nodes`
    return `${did} ${safe(receipt.path)}${record}${copies}\n`
  })
}
