import type { SqlObject } from '../../src/backends/sql/object.js'
import type { Database } from '../support/cluster.js'
import { AROUND_ATTACKS } from './around.js'
import { type Attack, assault } from './attack.js'
import { CONTEXT_ATTACKS } from './contexts.js'
import { FUNCTION_MUTANTS } from './function-mutants.js'
import { FUNCTION_ATTACKS } from './functions.js'
import { layered } from './layers.js'
import { LIST_ATTACKS } from './lists.js'
import { MUTANTS, mutate, SWITCHES, type Switch } from './mutants.js'
import { STATEMENT_ATTACKS } from './statements.js'

/** Every attack by free SQL in the login of applications, and what must go on beside them. */
export const EVERY_ATTACK: readonly Attack[] = [
  ...CONTEXT_ATTACKS,
  ...STATEMENT_ATTACKS,
  ...AROUND_ATTACKS,
  ...FUNCTION_ATTACKS,
  ...LIST_ATTACKS
]

/** Every safeguard that can be taken out. */
export function everyMutant(objects: readonly SqlObject[]): readonly Switch[] {
  return [
    ...[...MUTANTS, ...FUNCTION_MUTANTS].map(mutant => mutate(objects, mutant)),
    ...SWITCHES,
    ...layered(objects)
  ]
}

/** What gets through of some attacks, by name: all that was got, or only the first where that is enough. */
export async function through(
  database: Database,
  attacks: readonly Attack[],
  onlyFirst = false
): Promise<ReadonlyMap<string, string>> {
  const [attacker, victim, owner] = await Promise.all([
    database.client('twinrule_app'),
    database.client('twinrule_app'),
    database.client()
  ])
  const got = new Map<string, string>()
  try {
    await assault(attacks, { attacker, victim, owner }, ({ name }, what) => {
      if (what !== null) got.set(name, what)
      return what === null || !onlyFirst
    })
  } finally {
    await Promise.all([attacker, victim, owner].map(client => client.end()))
  }
  return got
}

/** Runs work while a safeguard is out. */
export async function without<T>(
  database: Database,
  { off, on }: Switch,
  work: () => Promise<T>
): Promise<T> {
  const owner = await database.client()
  try {
    await owner.query(`SET twinrule.allow_unprotected = 'on'; ${off}; RESET twinrule.allow_unprotected`)
    const result = await work()
    await owner.query(`SET twinrule.allow_unprotected = 'on'; ${on}; RESET twinrule.allow_unprotected`)
    return result
  } finally {
    await owner.end()
  }
}
