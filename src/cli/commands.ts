/** All commands, in the order of the help. */
import * as backup from './backup.js'
import * as cat from './cat.js'
import type { CommandDefinition } from './context.js'
import * as compact from './compact.js'
import * as drift from './drift.js'
import * as exported from './export.js'
import * as geoserver from './geoserver.js'
import * as history from './history.js'
import * as init from './init.js'
import * as inspect from './inspect.js'
import * as invite from './invite.js'
import * as join from './join.js'
import * as ls from './ls.js'
import * as mv from './mv.js'
import * as peers from './peers.js'
import * as put from './put.js'
import * as quarantine from './quarantine.js'
import * as rebuild from './rebuild.js'
import * as reidentify from './reidentify.js'
import * as restore from './restore.js'
import * as revoke from './revoke.js'
import * as rm from './rm.js'
import * as root from './root.js'
import * as rotate from './rotate.js'
import * as salvage from './salvage.js'
import * as scrub from './scrub.js'
import * as start from './start.js'
import * as status from './status.js'
import * as stop from './stop.js'
import * as verify from './verify.js'
import * as waiting from './waiting.js'
import * as watch from './watch.js'

export const COMMANDS: readonly CommandDefinition[] = [
  init,
  invite,
  join,
  start,
  status,
  peers,
  ls,
  cat,
  put,
  rm,
  mv,
  history,
  verify,
  inspect,
  watch,
  stop,
  revoke,
  salvage,
  rotate,
  root,
  exported,
  backup,
  restore,
  scrub,
  compact,
  quarantine,
  waiting,
  drift,
  rebuild,
  reidentify,
  geoserver
].map((module) => module.definition)
