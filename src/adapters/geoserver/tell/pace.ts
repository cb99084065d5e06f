/** How long telling waits for what: quiet, rest, and whoever does not answer. */
/** Nothing more came for so long before it is told, ms; */
export const QUIET_MS = 300
/** and before a reload, which more changes may need. */
export const RELOAD_QUIET_MS = 3_000
/** However much still comes, a reload that is due waits no longer for quiet, ms. */
export const RELOAD_PATIENCE_MS = 20_000
/** After a reload maps are drawn undisturbed for so many times as long as it took, */
export const RELOAD_REST = 50
/** but new layers wait no longer than this for it, ms. */
export const MAX_RELOAD_REST_MS = 5 * 60_000
/** GeoServer looks for changed styles and tile layers every 10 s, and takes a moment. */
export const NOTICED_MS = 12_000
/** First and longest pause after a failure, ms. */
export const RETRY_MIN_MS = 1_000
export const RETRY_MAX_MS = 60_000
/** A reload reads the whole catalog: 85 s for 100,000 layers, ms. */
export const RELOAD_TIMEOUT_MS = 30 * 60_000
/** Objects read back after a reload at most; each takes some 15 ms and the same lock as everybody's calls. */
export const MAX_READ_BACK = 1_000
