/** What the handlers of REST have in common. */
import type { Context } from 'hono'

export const XML_TYPE = 'application/xml'

export function xml(c: Context, body: string): Response {
  return c.body(body, 200, { 'content-type': XML_TYPE })
}

export function text(c: Context, body: string, status: 200 | 201 = 200): Response {
  return c.body(body, status, { 'content-type': 'text/plain' })
}

/** A name of the address; it may end in the format that is asked for. */
export function nameIn(c: Context, parameter: string): string {
  return (c.req.param(parameter) ?? '').replace(/\.(xml|json)$/, '')
}
