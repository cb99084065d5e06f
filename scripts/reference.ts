/**
 * Writes the reference of commands, settings and errors into a Markdown file, between its markers. All of it comes from
 * the code: `tsx scripts/reference.ts README.md` writes, with `--check` it only fails when the file differs.
 */
import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { createProgram } from '../src/cli/program.js'
import { environmentName, SETTING_NAMES, SETTINGS } from '../src/config.js'
import { ERRORS } from '../src/errors.js'
import { markdownTable, replaceBetween, type Markers } from './markdown.js'

const MARKERS: Markers = { begin: '<!-- reference:begin -->', end: '<!-- reference:end -->' }

/** The whole reference, as it is between the markers. */
export function referenceText(): string {
  return [
    '### Commands',
    '',
    commandsText(),
    '### Settings',
    '',
    settingsText(),
    '',
    '### Errors',
    '',
    errorsText()
  ].join('\n')
}

/** The document with its reference replaced; throws when the markers are not there exactly once. */
export const withReference = (document: string, reference: string): string =>
  replaceBetween(document, MARKERS, reference)

function commandsText(): string {
  const program = createProgram({ version: '0', columns: 80, writeOut: () => undefined, runner: async () => undefined })
  const all = [program, ...program.commands]
  return all.map((command) => `\`\`\`\n${helpOf(command)}\`\`\`\n`).join('\n')
}

function helpOf(command: Command): string {
  // what every command takes is told once, with the program itself
  const sections = command.helpInformation().split(/\n(?=[A-Z][A-Za-z ]*:\n)/)
  return (
    sections
      .filter((section) => !section.startsWith('Global Options:'))
      .join('\n')
      .trimEnd() + '\n'
  )
}

function settingsText(): string {
  const rows = SETTING_NAMES.map((name) => {
    const { flag, unit, about } = SETTINGS[name]
    // the host's name would differ from machine to machine
    const standard = name === 'name' ? "the host's name" : code(JSON.stringify(SETTINGS[name].default))
    return [code(name), code(flag), code(environmentName(name)), unit, standard, about]
  })
  return markdownTable(['setting', 'flag', 'variable', 'unit', 'default', 'what it does'], rows)
}

function errorsText(): string {
  const rows = Object.entries(ERRORS).map(([name, { meaning, httpStatus, exitCode }]) => [
    code(name),
    String(exitCode),
    String(httpStatus),
    meaning
  ])
  return markdownTable(['code', 'exit code', 'HTTP status', 'meaning'], rows)
}

function code(text: string): string {
  return `\`${text}\``
}

async function main(argv: readonly string[]): Promise<number> {
  const check = argv.includes('--check')
  const [path, ...more] = argv.filter((word) => word !== '--check')
  if (path === undefined || more.length > 0) {
    process.stderr.write('usage: tsx scripts/reference.ts [--check] FILE.md\n')
    return 2
  }
  const before = await readFile(path, 'utf8')
  const after = withReference(before, referenceText())
  if (before === after) return 0
  if (!check) await writeFile(path, after)
  else
    process.stderr.write(
      `the reference in ${path} differs from the code; write it with: tsx scripts/reference.ts ${path}\n`
    )
  return check ? 1 : 0
}

if (process.argv[1] !== undefined && import.meta.url === new URL(`file://${process.argv[1]}`).href) {
  process.exitCode = await main(process.argv.slice(2))
}
