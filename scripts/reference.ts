/**
 * Writes the reference of commands, settings and errors into a Markdown file, between its markers. All of it comes from
 * the code: `tsx scripts/reference.ts README.md` writes, with `--check` it only fails when the file differs.
 */
import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { createProgram } from '../src/cli/program.js'
import { environmentName, SETTING_NAMES, SETTINGS } from '../src/config.js'
import { ERRORS } from '../src/errors.js'

const BEGIN = '<!-- reference:begin -->'
const END = '<!-- reference:end -->'

/** The whole reference, from one marker to the other. */
export function referenceText(): string {
  return [
    BEGIN,
    '',
    '### Commands',
    '',
    commandsText(),
    '### Settings',
    '',
    settingsText(),
    '',
    '### Errors',
    '',
    errorsText(),
    '',
    END
  ].join('\n')
}

/** The document with its reference replaced; throws when the markers are not there exactly once. */
export function withReference(document: string, reference: string): string {
  const [before, inside, ...more] = document.split(BEGIN)
  const rest = inside?.split(END)
  if (rest?.length !== 2 || more.length > 0) throw new Error(`the file needs one ${BEGIN} and, after it, one ${END}`)
  return before + reference + rest[1]
}

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

/** Columns are padded the way the formatter does, so that formatting the file changes nothing. */
function markdownTable(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => [...row[i]!].length)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell + ' '.repeat(widths[i]! - [...cell].length)).join(' | ')} |`
  return [line(cells[0]!), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)].join('\n')
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
