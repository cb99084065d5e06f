import assert from 'node:assert/strict'
import { test } from 'node:test'
import { referenceText, withReference } from '../../scripts/reference.js'
import { COMMANDS } from '../../src/cli/commands.js'
import { environmentName, SETTING_NAMES } from '../../src/config.js'
import { ERRORS } from '../../src/errors.js'

test('the reference names every command, setting, variable and error', () => {
  const text = referenceText()
  for (const { name } of COMMANDS) assert.match(text, new RegExp(`Usage: grapevine ${name}\\b`))
  for (const name of SETTING_NAMES)
    assert.ok(text.includes(`| \`${name}\``) && text.includes(`\`${environmentName(name)}\``), name)
  for (const code of Object.keys(ERRORS)) assert.ok(text.includes(`| \`${code}\``), code)
})

test('only what is between the markers is replaced, and replacing twice changes nothing', () => {
  const once = withReference('a\n<!-- reference:begin -->\nold\n<!-- reference:end -->\nb\n', referenceText())
  assert.ok(once.startsWith('a\n<!-- reference:begin -->\n') && once.endsWith('\n<!-- reference:end -->\nb\n'))
  assert.doesNotMatch(once, /^old$/m)
  assert.equal(withReference(once, referenceText()), once)
})

test('a file without its two markers is refused', () => {
  for (const text of [
    '',
    '<!-- reference:begin -->',
    '<!-- reference:end -->\n<!-- reference:begin -->',
    '<!-- reference:begin --><!-- reference:end --><!-- reference:begin --><!-- reference:end -->'
  ]) {
    assert.throws(() => withReference(text, 'x'), /needs one/)
  }
})
