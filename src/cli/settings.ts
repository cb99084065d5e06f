/** The settings of config.ts as options of a command, and back. */
import { kindOf, SETTINGS, type ConfigSources, type SettingName } from '../config.js'
import type { OptionSpec } from './context.js'

export function configOptions(names: readonly SettingName[]): OptionSpec[] {
  return names.flatMap((name): OptionSpec[] => {
    const { flag, about } = SETTINGS[name]
    const short = firstSentence(about)
    if (kindOf(name) !== 'boolean') return [{ flags: flag, about: short, repeat: kindOf(name) === 'list' }]
    return [
      { flags: flag, about: short },
      { flags: flag.replace('--', '--no-'), about: 'do not' }
    ]
  })
}

/** What was given on the command line, by setting. */
export function flagsOf(options: object): NonNullable<ConfigSources['flags']> {
  const given = options as Record<string, unknown>
  const flags: Record<string, unknown> = {}
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const value = given[optionKey(SETTINGS[name].flag)]
    if (value !== undefined) flags[name] = value
  }
  return flags as NonNullable<ConfigSources['flags']>
}

/** `--log-level <level>` -> `logLevel`. */
export function optionKey(flag: string): string {
  return flag
    .split(' ')[0]!
    .slice(2)
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function firstSentence(text: string): string {
  return text.split(/[.;] /)[0]!.replace(/\.$/, '')
}
