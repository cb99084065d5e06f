/**
 * The program's probe of an index, in a process that stays: told a path and where the program is, runs the built worker
 * on it and answers with its exit code. Plain JavaScript, so that it starts at once.
 */
let asked = 0
process.on('message', async ({ worker, path }) => {
  process.argv[2] = path
  process.exitCode = undefined
  asked += 1
  // another address makes Node run the module once more; what it imports stays loaded
  await import(`${worker}?${asked}`)
  const code = process.exitCode
  process.exitCode = undefined
  process.send(code)
})
process.on('disconnect', () => process.exit())
