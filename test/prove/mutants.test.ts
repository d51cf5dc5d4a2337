import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mutantsMarkdown } from '../../scripts/docs-mutants.js'
import { prove } from '../../src/prove/prove.js'
import { judgeMutants, mutated, securityOf } from './mutants.js'
import { printSecurity } from './print-security.js'

t.test('what the mutants are made of is proved, as emitted and as printed by the test', async t => {
  for (const { bundle, resource } of mutated()) {
    t.equal((await prove(bundle)).verdict, 'proved', resource.name)
    const text = printSecurity(resource.table ?? '', await securityOf(resource, bundle))
    t.equal(
      (await prove(bundle, { emitted: { sql: () => text } })).verdict,
      'proved',
      `${resource.name}, printed`
    )
  }
})

t.test('every mutant is refused, or is known to mean the same', async t => {
  const judged = await judgeMutants()
  const survivors = judged.filter(({ verdict }) => !verdict.killed && verdict.why === null)
  t.strictSame(survivors, [])
  t.ok(judged.length >= 1_000, `${judged.length} mutants`)
  const killed = judged.filter(({ verdict }) => verdict.killed)
  const deciding = judged.filter(({ name }) => !name.includes(' using: open '))
  t.ok(killed.length > deciding.length * 0.95, `${killed.length} of ${deciding.length} that can decide`)
  const file = join(import.meta.dirname, '..', '..', 'docs', 'mutants.md')
  t.equal(readFileSync(file, 'utf8'), mutantsMarkdown(judged), 'docs/mutants.md is current')
})
