/**
 * The built program in a process that has loaded all of it before it is told its arguments, and that may run it again
 * when it ended in order. Plain JavaScript, because it runs what was built.
 *
 * Its parent sends the words of a command line (IPC). What the program writes goes to stdout and stderr as ever; the end
 * of a run is a line of its own on stderr, behind all of it: the mark from the arguments, and the exit code.
 */
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [main, mark] = process.argv.slice(2)
const part = (...path) => import(pathToFileURL(join(dirname(main), ...path)).href)

await part('polyfill.js')
const { main: runMain } = await part('cli', 'run.js')
for (const path of [['node.js'], ['control', 'server.js'], ['cli', 'logger.js']]) await part(...path)

/** As the executable ends over what nobody expected. */
function fail(error) {
  process.stderr.write(`grapevine: internal: in ${basename(main)}: ${error?.stack ?? error}\n`)
  process.exit(1)
}
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
process.once('disconnect', () => process.exit(0))
process.on('message', (words) => {
  process.argv = [process.execPath, main, ...words]
  // those of the run before: a second signal would end the process at once
  for (const signal of ['SIGINT', 'SIGTERM']) process.removeAllListeners(signal)
  void runMain(process).then((code) => process.stderr.write(`${mark} ${code}\n`))
})
