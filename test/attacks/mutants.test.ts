import t from 'tap'
import { accessObjects } from '../../src/backends/sql/access.js'
import { demoDatabase, exampleBundle } from '../support/example.js'
import { AROUND_ATTACKS } from './around.js'
import { assault, SECRET_LAST } from './attack.js'
import { CONTEXT_ATTACKS } from './contexts.js'
import { FUNCTION_MUTANTS } from './function-mutants.js'
import { FUNCTION_ATTACKS } from './functions.js'
import { LIST_ATTACKS } from './lists.js'
import { MUTANTS, mutate, SWITCHES } from './mutants.js'
import { STATEMENT_ATTACKS } from './statements.js'

const bundle = await exampleBundle()
const database = await demoDatabase(t, bundle)
const owner = await database.client()
t.teardown(() => owner.end())
const objects = accessObjects(bundle)

/** The first attack that is not held, null when all are. */
async function broken(): Promise<string | null> {
  const [attacker, victim] = await Promise.all([
    database.client('twinrule_app'),
    database.client('twinrule_app')
  ])
  let first: string | null = null
  try {
    await assault(
      [...CONTEXT_ATTACKS, ...STATEMENT_ATTACKS, ...AROUND_ATTACKS, ...FUNCTION_ATTACKS, ...LIST_ATTACKS],
      { attacker, victim, owner },
      ({ name }, got) => {
        if (got !== null) first = `${name}: ${got}`
        return got === null
      }
    )
  } finally {
    await Promise.all([attacker.end(), victim.end()])
  }
  return first
}

/** Mutants that no attack can tell from the real thing, and why that is so. */
const HARMLESS: Readonly<Record<string, string>> = {
  'the settings stay for the session': 'the seal is worth nothing in another transaction',
  'any row may be deleted':
    'DELETE is granted to nobody; remove() and soft_delete() ask policies of their own',
  'its right to be called': 'the function asks by itself who calls it',
  'a new row may be global':
    'UPDATE of the columns of sharing is granted to nobody; share_globally() asks its own policy',
  'any row may be shared': 'the rule about the new row and the column rules refuse it as well'
}

t.test('every safeguard that is taken out lets an attack through', { timeout: 300_000 }, async t => {
  await owner.query(SECRET_LAST)
  t.equal(await broken(), null, 'with all of them, none gets through')
  const mutants = [...MUTANTS, ...FUNCTION_MUTANTS]
  t.ok(mutants.length + SWITCHES.length >= 50, `${mutants.length + SWITCHES.length} mutants`)
  const made = [
    ...mutants.map(mutant => {
      const { before, after } = mutate(objects, mutant)
      return { name: mutant.name, off: after, on: before }
    }),
    ...SWITCHES
  ]
  for (const { name, off, on } of made) {
    await owner.query(`SET twinrule.allow_unprotected = 'on'; ${off}; RESET twinrule.allow_unprotected`)
    const got = await broken()
    await owner.query(on)
    t.equal(got === null, name in HARMLESS, `${name}: ${got ?? HARMLESS[name] ?? 'held'}`)
  }
})
