/** The local HTTP API, its event stream and its typed client. Routes and events: API.md. */
export { ControlServer } from './server.js'
export type { ControlServerDeps, ControlServerOptions } from './server.js'
export { ControlClient } from './client.js'
export type { ControlClientOptions, DaemonView } from './client.js'
export { EVENTS, EVENT_NAMES, type Fact } from './events.js'
export type { EventName, EventSpec } from './events.js'
export { checkPrivateDirectory } from './socket.js'
export type * from './target.js'
