import { readFileSync } from 'node:fs'
import t from 'tap'
import { attacksMarkdown } from '../../scripts/docs-attacks.js'
import { accessObjects } from '../../src/backends/sql/access.js'
import { demoDatabase, exampleBundle } from '../support/example.js'
import { SECRET_LAST } from './attack.js'
import { EVERY_ATTACK, everyMutant, through, without } from './every.js'
import { GOES_ON } from './kinds.js'
import { HARMLESS, type LetThrough } from './let-through.js'

const SHOWN: LetThrough = JSON.parse(readFileSync('test/attacks/let-through.json', 'utf8'))
const bundle = await exampleBundle()
const mutants = everyMutant(accessObjects(bundle))

t.test(
  'every attack is shown to get through without a safeguard, and every safeguard is asked of',
  async t => {
    const attacks = EVERY_ATTACK.filter(({ name }) => !GOES_ON.test(name))
    t.equal(new Set(attacks.map(({ name }) => name)).size, attacks.length, 'no two have one name')
    const unshown = attacks.filter(({ name }) => SHOWN[name] === undefined)
    t.strictSame(unshown, [], '`npm run docs:attacks` after a change of attacks or safeguards')
    const known = new Set([...Object.values(SHOWN).flat(), ...Object.keys(HARMLESS)])
    t.strictSame([...known].sort(), mutants.map(({ name }) => name).sort())
    t.ok(mutants.length >= 50, `${mutants.length} mutants`)
  }
)

t.test('every safeguard that is taken out lets the attacks through', { timeout: 300_000 }, async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  await owner.query(SECRET_LAST)
  await owner.end()
  for (const mutant of mutants) {
    const { name } = mutant
    const named = EVERY_ATTACK.filter(attack => SHOWN[attack.name]?.includes(name))
    const isHarmless = name in HARMLESS
    const got = await without(database, mutant, () => through(database, isHarmless ? EVERY_ATTACK : named))
    if (isHarmless) t.strictSame([...got], [], `${name}: ${HARMLESS[name]}`)
    for (const attack of named) t.match(got.get(attack.name), /^(?!it fails: )/, `${name}: ${attack.name}`)
  }
  t.strictSame([...(await through(database, EVERY_ATTACK))], [], 'with all of them, none gets through')
})

t.test('docs/attacks.md is what `npm run docs:attacks` writes', async t => {
  t.equal(readFileSync('docs/attacks.md', 'utf8'), attacksMarkdown(SHOWN))
})
