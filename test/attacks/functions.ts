import { DEMO } from '../support/example.js'
import {
  type Attack,
  begin,
  GUS,
  leak,
  type Principal,
  ROOT,
  refused,
  SECRET,
  tries,
  writes
} from './attack.js'

const [GLOBAL, RECEIVED, OWN_ROW] = [DEMO.agent(3), DEMO.agent(2), DEMO.agent(4)]
const { acme, globex, initech } = DEMO
const DENIED = ['42501']

/** A call of a function that writes for applications. It must fail or answer that there was no such row. */
function calls(name: string, call: string, who: Principal | null = GUS, before?: string): Attack {
  return {
    name,
    run: async ({ attacker }) => {
      if (who === null) await attacker.query('BEGIN')
      else await begin(attacker, who)
      if (before !== undefined) await attacker.query(before)
      const { rows, error } = await tries(attacker, `SELECT twinrule.${call} AS done`)
      await attacker.query('ROLLBACK')
      return error === null && rows[0]?.['done'] !== false ? `it answered ${JSON.stringify(rows)}` : null
    }
  }
}

const INTO_ROLE = 'SET LOCAL ROLE authz_platform_admin'

/** Attacks on `soft_delete`, `share` and their like, on what keeps their columns from everybody else, and on new tables. */
export const FUNCTION_ATTACKS: readonly Attack[] = [
  ...(
    [
      ['hidden', SECRET.id],
      ['received', RECEIVED],
      ['global', GLOBAL]
    ] as const
  ).flatMap(([what, id]) => [
    calls(`soft_delete of a ${what} row`, `soft_delete('agent', '${id}')`),
    calls(`remove of a ${what} row`, `remove('agent', '${id}')`),
    calls(`sharing a ${what} row with oneself`, `share('agent', '${id}', '${globex}')`),
    calls(`sharing a ${what} row on`, `share('agent', '${id}', '${initech}')`),
    calls(`unsharing a ${what} row`, `unshare('agent', '${id}')`),
    calls(`publishing a ${what} row`, `share_globally('agent', '${id}')`),
    calls(`taking a ${what} row`, `transfer('agent', '${id}', '${globex}')`)
  ]),
  calls("publishing one's own row", `share_globally('agent', '${OWN_ROW}')`),
  calls("giving one's own row away", `transfer('agent', '${OWN_ROW}', '${acme}')`),
  calls('soft_delete without a context', `soft_delete('agent', '${OWN_ROW}')`, null),
  calls('remove without a context', `remove('agent', '${OWN_ROW}')`, null),
  calls('share without a context', `share('agent', '${OWN_ROW}', '${acme}')`, null),
  calls(
    'soft_delete by a claim',
    `soft_delete('agent', '${SECRET.id}')`,
    null,
    `SELECT set_config('twinrule.user_id', '${DEMO.ada}', true), set_config('twinrule.tenant_id', '${acme}', true)`
  ),
  calls(
    'soft_delete by a claim in place of the context',
    `soft_delete('agent', '${SECRET.id}')`,
    GUS,
    `SELECT set_config('twinrule.tenant_id', '${acme}', true)`
  ),
  calls('soft_delete in a role by SET ROLE', `soft_delete('agent', '${SECRET.id}')`, GUS, INTO_ROLE),
  calls('transfer in a role by SET ROLE', `transfer('agent', '${SECRET.id}', '${globex}')`, GUS, INTO_ROLE),
  calls('soft_delete by an administrator without an entry', `soft_delete('agent', '${OWN_ROW}')`, ROOT),
  calls('remove by an administrator without an entry', `remove('agent', '${OWN_ROW}')`, ROOT, INTO_ROLE),
  calls(
    'soft_delete by an administrator in the role, without an entry',
    `soft_delete('agent', '${OWN_ROW}')`,
    ROOT,
    INTO_ROLE
  ),
  calls('an injection into soft_delete', `soft_delete('agent'' OR true --', '${SECRET.id}')`),
  writes('a deletion by UPDATE', `UPDATE agents SET deleted_at = now() WHERE id = '${OWN_ROW}'`),
  ...['twinrule_remover', 'twinrule_sharer'].map(role =>
    refused(`SET ROLE ${role}`, `SET LOCAL ROLE ${role}`, DENIED)
  ),
  {
    name: 'a row of one’s own brought back, or deleted with a time of one’s choice',
    run: async ({ attacker }) => {
      await begin(attacker, GUS)
      const { rows } = await tries(attacker, `SELECT twinrule.soft_delete('agent', '${OWN_ROW}') AS done`)
      const back = await tries(attacker, 'SAVEPOINT a; UPDATE agents SET deleted_at = NULL')
      await attacker.query('ROLLBACK')
      return rows[0]?.['done'] === true && back.error === '42501'
        ? null
        : `${back.error ?? 'it changed rows'}`
    }
  },
  {
    name: 'a deleted row is seen, changed or deleted again',
    run: async ({ attacker }) => {
      await begin(attacker, GUS)
      await tries(attacker, `SELECT twinrule.soft_delete('agent', '${OWN_ROW}')`)
      const got = await tries(attacker, `SELECT name FROM agents WHERE id = '${OWN_ROW}'`)
      const changed = await tries(attacker, `UPDATE agents SET name = name WHERE id = '${OWN_ROW}'`)
      const again = await tries(attacker, `SELECT twinrule.soft_delete('agent', '${OWN_ROW}') AS done`)
      await attacker.query('ROLLBACK')
      const held = got.count + changed.count === 0 && again.rows[0]?.['done'] === false
      return held ? null : JSON.stringify([got, changed, again])
    }
  },
  {
    name: 'a copy that somebody granted to applications by mistake',
    run: async ({ attacker, owner }) => {
      const copy = `CREATE TABLE copies AS SELECT id, name FROM agents; GRANT SELECT ON copies TO twinrule_app`
      const { error } = await tries(owner, copy)
      await begin(attacker, GUS)
      const { rows } = await tries(attacker, 'SELECT id, name FROM copies')
      await attacker.query('ROLLBACK')
      if (error === null) await owner.query('DROP TABLE copies')
      return leak(rows)
    }
  },
  {
    name: 'an oracle: a tenant to which a row may be given',
    run: async ({ attacker }) => {
      const answers: string[] = []
      for (const id of [acme, '99999999-9999-4999-8999-999999999999']) {
        await begin(attacker, GUS)
        const call = `SELECT twinrule.transfer('agent', '${OWN_ROW}', '${id}')`
        const { error, message } = await tries(attacker, call)
        await attacker.query('ROLLBACK')
        answers.push(JSON.stringify([error, message.replaceAll(id, 'ID')]))
      }
      return answers[0] === answers[1] ? null : answers.join(' but ')
    }
  }
]
