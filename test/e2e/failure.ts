/** How a command line must fail: with its code, its exit code, and what to do next. */
import assert from 'node:assert/strict'
import { ERRORS, type ErrorCode } from '../../src/errors.js'
import type { Node } from './node.js'
import type { Outcome } from './program.js'
import { until } from './until.js'

export function failsWith(outcome: Outcome, code: ErrorCode): void {
  const { stderr } = outcome
  assert.match(stderr, new RegExp(`^grapevine: ${code}: .+\\n  next: .{10,}\\n$`), stderr)
  assert.equal(outcome.code, ERRORS[code].exitCode)
}

/** A problem of this code, with its next step, in the node's status; for one path, or for the target as a whole. */
export async function reports(node: Node, code: ErrorCode, path?: RegExp): Promise<void> {
  const problem = await until(`${node.name} reports ${code}`, async () => {
    const { problems } = await node.json<Awaited<ReturnType<Node['status']>>>('status')
    return problems.find((each) => each.code === code && (path === undefined || path.test(each.path ?? '')))
  })
  assert.ok(problem.next.length > 10)
  assert.ok(problem.message.length > 10)
}

export async function reportsNothing(node: Node): Promise<void> {
  await until(`${node.name} has no problem left`, async () => {
    const { problems, state } = await node.json<Awaited<ReturnType<Node['status']>>>('status')
    assert.deepEqual(problems, [])
    assert.equal(state, 'running')
    return true
  })
}
