/** A request that is refused, with GeoServer's own word. */
export class RestError extends Error {
  readonly status: 400 | 403 | 404 | 405 | 409 | 500 | 503

  constructor(status: RestError['status'], message: string) {
    super(message)
    this.status = status
  }
}
