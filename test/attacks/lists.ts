import { DEMO } from '../support/example.js'
import {
  ADA,
  type Attack,
  begin,
  type Field,
  GUS,
  OWN,
  type Principal,
  ROOT,
  reads,
  SECRET,
  tries
} from './attack.js'

const ENTER = 'SET LOCAL ROLE twinrule_lister'
const AGENTS = 'SELECT id, name FROM agents'
const claim = `set_config('twinrule.user_id', '${DEMO.ada}', true), set_config('twinrule.tenant_id', '${DEMO.acme}', true)`

const listing =
  (who: Principal | null = GUS) =>
  async ({ attacker }: Field): Promise<void> => {
    if (who === null) await attacker.query('BEGIN')
    else await begin(attacker, who)
    await attacker.query(ENTER)
  }

/** What the role for lists must be refused: it may read rows, and nothing else that the app role may. */
const REFUSED: readonly string[] = [
  'UPDATE agents SET name = name',
  `INSERT INTO agents (tenant_id, name) VALUES ('${DEMO.globex}', 'x')`,
  'DELETE FROM agents',
  'LOCK TABLE agents IN ACCESS EXCLUSIVE MODE',
  'TRUNCATE agents',
  `SELECT twinrule.soft_delete('agent', '${DEMO.agent(4)}')`,
  `SELECT twinrule.share('agent', '${DEMO.agent(4)}', '${DEMO.acme}')`,
  `SELECT twinrule.enter_role('authz_platform_admin')`,
  'CREATE TEMPORARY TABLE copied AS SELECT 1 AS one',
  'SELECT * FROM tenants'
]

/** The rows that somebody sees in a role. */
async function seen(field: Field, who: Principal, enter: string | null): Promise<string> {
  await begin(field.attacker, who)
  if (enter !== null) await field.attacker.query(enter)
  const { rows, message } = await tries(field.attacker, `${AGENTS} ORDER BY id`)
  await field.attacker.query('ROLLBACK')
  return message === '' ? rows.map(({ id }) => String(id)).join() : message
}

/** Free SQL in the role in which lists are read, which everybody with the login of applications may enter. */
export const LIST_ATTACKS: readonly Attack[] = [
  reads('reading in the role for lists', AGENTS, listing()),
  reads('the role for lists without a context', AGENTS, listing(null)),
  reads('a claim in the role for lists', `SELECT ${claim}`, listing()),
  reads('a claim in the role for lists, without a context', `SELECT ${claim}`, listing(null)),
  reads('a claim in the middle of a list', `SELECT ${claim}, id, name FROM agents`, listing()),
  ...REFUSED.map(
    (text): Attack => ({
      name: `in the role for lists: ${text}`,
      run: async field => {
        await listing()(field)
        const { error } = await tries(field.attacker, text)
        await field.attacker.query('ROLLBACK')
        return error === '42501' ? null : `it ended with ${error ?? 'no error'}`
      }
    })
  ),
  // root has the flag, which counts in a role that leaves a record: not here, and not in the app role
  ...[GUS, ADA, ROOT].map(
    (who): Attack => ({
      name: `the role for lists shows ${who.userId} what the app role does`,
      run: async field => {
        const [own, listed] = [await seen(field, who, null), await seen(field, who, ENTER)]
        if (who === GUS && own !== OWN.join()) return `gus sees ${own}`
        return own === listed ? null : `${listed} is not ${own}`
      }
    })
  ),
  {
    name: 'SET ROLE to the role for lists for the session',
    run: async ({ attacker }) => {
      await begin(attacker, ADA)
      await attacker.query('SET ROLE twinrule_lister')
      await attacker.query('COMMIT')
      const { rows } = await tries(attacker, AGENTS)
      return JSON.stringify(rows).includes(SECRET.id) ? 'the context of ada is still there' : null
    }
  }
]
