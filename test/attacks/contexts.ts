import { contextKey, contextToken } from '../../src/db/context-token.js'
import { DEMO, TEST_KEY } from '../support/example.js'
import {
  ADA,
  type Attack,
  begin,
  type Field,
  GUS,
  leak,
  type Principal,
  ROOT,
  reads,
  refused,
  tries
} from './attack.js'

const AGENTS = 'SELECT id, name FROM agents'
const claim = (local: boolean) =>
  `set_config('twinrule.user_id', '${DEMO.ada}', ${local}), set_config('twinrule.tenant_id', '${DEMO.acme}', ${local})`

const nothing = async ({ attacker }: Field) => void (await attacker.query('BEGIN'))

/** Settings of a connection's transaction, as somebody who may read them could copy them. */
async function settingsOf(field: Field, client: 'attacker' | 'victim'): Promise<Record<string, string>> {
  const names = ['twinrule.user_id', 'twinrule.tenant_id', 'twinrule.context_seal', 'twinrule.entered_seal']
  const { rows } = await field[client].query(
    `SELECT name, current_setting(name, true) AS value FROM unnest($1::text[]) AS name`,
    [names]
  )
  return Object.fromEntries(rows.map(({ name, value }) => [name, value ?? '']))
}

async function pretend({ attacker }: Field, settings: Record<string, string>, local: boolean): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    await attacker.query('SELECT set_config($1, $2, $3)', [name, value, local])
  }
}

/** A copy of what a principal's transaction holds, pasted into the attacker's. */
function replay(name: string, from: 'attacker' | 'victim', local: boolean): Attack {
  return reads(name, AGENTS, async field => {
    await begin(field[from], ADA)
    const settings = await settingsOf(field, from)
    if (from === 'attacker') await field.attacker.query('COMMIT')
    await field.attacker.query('BEGIN')
    await pretend(field, settings, local)
    if (from === 'victim') await field.victim.query('COMMIT')
  })
}

const PLAIN: readonly Attack[] = [
  reads('settings of another, local', `SELECT ${claim(true)}`, nothing),
  reads('settings of another, for the session', `SELECT ${claim(false)}`, nothing),
  reads(
    'SET LOCAL',
    `SET LOCAL twinrule.user_id = '${DEMO.ada}'; SET LOCAL twinrule.tenant_id = '${DEMO.acme}'; ${AGENTS}`,
    nothing
  ),
  reads(
    'SET of the session',
    `SET twinrule.user_id = '${DEMO.ada}'; SET twinrule.tenant_id = '${DEMO.acme}'`,
    nothing
  ),
  reads('settings of another over a context', `SELECT ${claim(true)}`),
  reads(
    'the tenant of another over a context',
    `SELECT set_config('twinrule.tenant_id', '${DEMO.acme}', true)`
  ),
  reads('the user of another over a context', `SELECT set_config('twinrule.user_id', '${DEMO.ada}', true)`),
  replay("another session's settings, local", 'victim', true),
  replay("another session's settings, for the session", 'victim', false),
  replay("the same session's settings after COMMIT", 'attacker', true),
  reads('no context at all', AGENTS, nothing),
  reads('a context that was cleared', 'SELECT twinrule.clear_tenant_context()')
]

const IN_THE_MIDDLE: readonly Attack[] = [
  reads('set_config in the select list', `SELECT ${claim(true)}, id, name FROM agents`),
  reads('set_config in WHERE', `${AGENTS} WHERE (SELECT count(*) FROM (SELECT ${claim(true)}) AS s) = 1`),
  reads(
    'set_config in WHERE, each row',
    `${AGENTS} WHERE set_config('twinrule.tenant_id', '${DEMO.acme}', true) = id::text OR true`
  ),
  reads(
    'set_config in ORDER BY',
    `${AGENTS} ORDER BY set_config('twinrule.tenant_id', '${DEMO.acme}', true)`
  ),
  reads(
    'set_config in a CTE',
    `WITH c AS MATERIALIZED (SELECT ${claim(true)}) SELECT id, name FROM c, agents`
  ),
  reads(
    'set_config beside, for each row',
    `SELECT b.id, b.name FROM agents AS a, LATERAL (SELECT ${claim(true)}, a.id OFFSET 0) AS s,
       LATERAL (SELECT id, name FROM agents WHERE id IS DISTINCT FROM s.id::text::uuid OR s.id IS NULL OR true OFFSET 0) AS b`
  ),
  ...['context_user_id', 'context_tenant_id', 'context_tenant_role', 'context_is_platform_admin'].flatMap(
    accessor => [
      refused(`${accessor}() without a context`, `SELECT twinrule.${accessor}()`, ['AZ001'], null),
      refused(`${accessor}() with a claim`, `SELECT ${claim(true)}; SELECT twinrule.${accessor}()`, ['AZ001'])
    ]
  ),
  {
    name: 'a colleague in the same tenant',
    run: async ({ attacker, owner }) => {
      await owner.query(
        `INSERT INTO user_tenants (user_id, tenant_id, role, status) VALUES ('${DEMO.ada}', '${DEMO.globex}', 'owner', 'active')`
      )
      try {
        await begin(attacker, GUS)
        await attacker.query(`SELECT set_config('twinrule.user_id', '${DEMO.ada}', true)`)
        const { rows } = await tries(attacker, 'SELECT twinrule.get_current_user_id() AS id')
        await attacker.query('ROLLBACK')
        return rows[0]?.['id'] === null ? null : JSON.stringify(rows)
      } finally {
        await owner.query(
          `DELETE FROM user_tenants WHERE user_id = '${DEMO.ada}' AND tenant_id = '${DEMO.globex}'`
        )
      }
    }
  },
  {
    name: 'get_current_user_id() with a claim',
    run: async ({ attacker }) => {
      await begin(attacker, GUS)
      await attacker.query(`SELECT ${claim(true)}`)
      const { rows } = await tries(attacker, 'SELECT twinrule.get_current_user_id() AS id')
      await attacker.query('ROLLBACK')
      return rows[0]?.['id'] === null ? null : JSON.stringify(rows)
    }
  },
  reads('set_config in RETURNING', `UPDATE agents SET name = name RETURNING ${claim(true)}, id, name`),
  reads(
    'the seal emptied for each row',
    `SELECT set_config('twinrule.context_seal', '', true), id, name FROM agents`
  ),
  reads(
    'the context cleared for each row',
    `SELECT twinrule.clear_tenant_context(), a.id, b.id, b.name FROM agents AS a, agents AS b`
  ),
  refusedWith(
    'another token in the select list',
    `SELECT twinrule.set_tenant_context($1), id, name FROM agents`,
    ADA
  ),
  refusedWith(
    'another token after emptying the seal, in one statement',
    `WITH c AS MATERIALIZED (SELECT set_config('twinrule.context_seal', '', true)), d AS MATERIALIZED (SELECT twinrule.set_tenant_context($1) FROM c) SELECT id, name FROM d, agents`,
    ADA
  ),
  refusedWith('another token in the same transaction', 'SELECT twinrule.set_tenant_context($1)', ADA)
]

/** As gus, with a valid token of somebody else in hand: it must be an error of the context, and show nothing. */
function refusedWith(name: string, text: string, other: Principal): Attack {
  return {
    name,
    run: async ({ attacker }) => {
      await begin(attacker, GUS)
      const { error, rows } = await tries(attacker, text, [other.token()])
      await attacker.query('ROLLBACK')
      return error === 'AZ001' ? null : (leak(rows) ?? `no error of the context but ${error}`)
    }
  }
}

const OTHER_KEY = contextKey(`test-1:${Buffer.alloc(32, 8).toString('base64url')}`)
const UNKNOWN = contextKey(`test-9:${Buffer.alloc(32, 7).toString('base64url')}`)
const SEAL = contextKey(`seal:${Buffer.alloc(32, 7).toString('base64url')}`)
const ada = { userId: DEMO.ada, tenantId: DEMO.acme }
const parts = () => GUS.token().split('.')
const withPart = (n: number, value: string) => parts().with(n, value).join('.')

const TOKENS: Readonly<Record<string, () => string | null>> = {
  'another secret': () => contextToken(OTHER_KEY, ada),
  'an unknown kid': () => contextToken(UNKNOWN, ada),
  'the kid of the seal': () => contextToken(SEAL, ada),
  'the tenant changed': () => withPart(2, DEMO.acme),
  'the user changed': () => withPart(3, DEMO.ada),
  'both changed': () => parts().with(2, DEMO.acme).with(3, DEMO.ada).join('.'),
  'the expiry changed': () => withPart(4, '99999999999'),
  'the kid changed': () => withPart(1, 'test-2'),
  'no signature': () => parts().slice(0, 5).join('.'),
  'an empty signature': () => withPart(5, ''),
  'a signature of zeros': () => withPart(5, '0'.repeat(64)),
  'one digit more': () => `${GUS.token()}0`,
  'upper case': () => GUS.token().toUpperCase(),
  expired: () => contextToken(TEST_KEY, ada, { seconds: -1 }),
  'valid for an hour': () => contextToken(TEST_KEY, ada, { seconds: 3_600 }),
  'a line break': () => `${GUS.token()}\n`,
  quotes: () => "v1.x' OR true --",
  nothing: () => null,
  empty: () => '',
  'very long': () => `v1.${'x'.repeat(1_000_000)}`
}

const FORGED: readonly Attack[] = Object.entries(TOKENS).map(([name, token]) => ({
  name: `a token with: ${name}`,
  run: async ({ attacker }: Field) => {
    await attacker.query('BEGIN')
    const { error } = await tries(attacker, 'SELECT twinrule.set_tenant_context($1)', [token()])
    await attacker.query('ROLLBACK')
    return error === 'AZ001' ? null : `it was taken, or failed with ${error}`
  }
}))

const NO_MEMBER: Attack = {
  name: 'a token for a tenant of which the user is no member',
  run: async ({ attacker }) => {
    const token = contextToken(TEST_KEY, { userId: DEMO.gus, tenantId: DEMO.acme })
    await attacker.query('BEGIN')
    const { rows } = await tries(attacker, 'SELECT twinrule.set_tenant_context($1) AS valid', [token])
    const seen = await tries(attacker, AGENTS)
    await attacker.query('ROLLBACK')
    return rows[0]?.['valid'] === false && seen.rows.length === 0 ? null : JSON.stringify(rows)
  }
}

const RETIRED: Attack = {
  name: 'a token of a retired key',
  run: async ({ attacker, owner }) => {
    await owner.query(`UPDATE twinrule.context_keys SET retired_at = now() WHERE kid = 'test-1'`)
    await attacker.query('BEGIN')
    const { error } = await tries(attacker, 'SELECT twinrule.set_tenant_context($1)', [GUS.token()])
    await attacker.query('ROLLBACK')
    await owner.query(`UPDATE twinrule.context_keys SET retired_at = NULL WHERE kid = 'test-1'`)
    return error === 'AZ001' ? null : 'it was taken'
  }
}

/** Statements that outlive a transaction, or its principal. */
const LEFTOVERS: readonly Attack[] = [
  {
    name: 'a prepared plan over a change of the principal',
    run: async ({ attacker }) => {
      await attacker.query(`PREPARE list AS ${AGENTS}; SET plan_cache_mode = force_generic_plan`)
      const seen: Record<string, number> = {}
      for (const [name, who] of [
        ['ada', ADA],
        ['gus', GUS],
        ['ada again', ADA],
        ['gus again', GUS]
      ] as const) {
        await begin(attacker, who)
        const { rows } = await tries(attacker, 'EXECUTE list')
        if (who === GUS && leak(rows) !== null) return `${name}: ${leak(rows)}`
        seen[name] = rows.length
        await attacker.query('COMMIT')
      }
      const { rows } = await tries(attacker, 'EXECUTE list')
      await attacker.query('DEALLOCATE ALL; RESET plan_cache_mode')
      return rows.length > 0 || seen['ada'] !== 3 || seen['gus'] !== 3
        ? `it saw ${JSON.stringify(seen)}`
        : null
    }
  },
  {
    name: 'a prepared plan over a change of the role',
    run: async ({ attacker }) => {
      await attacker.query(`PREPARE list AS ${AGENTS}; SET plan_cache_mode = force_generic_plan`)
      await begin(attacker, ROOT)
      await attacker.query("SELECT twinrule.enter_role('authz_platform_admin')")
      const all = (await attacker.query('EXECUTE list')).rows.length
      await attacker.query('COMMIT')
      await begin(attacker, GUS)
      const { rows } = await tries(attacker, 'EXECUTE list')
      await attacker.query('COMMIT; DEALLOCATE ALL; RESET plan_cache_mode')
      return all === 4 ? leak(rows) : `the administrator saw ${all}`
    }
  },
  {
    name: "a cursor WITH HOLD of the connection's last user",
    run: async ({ attacker }) => {
      await begin(attacker, ADA)
      await attacker.query(`DECLARE held CURSOR WITH HOLD FOR ${AGENTS}`)
      await attacker.query('COMMIT')
      await attacker.query('BEGIN')
      const { error } = await tries(attacker, 'SELECT twinrule.set_tenant_context($1)', [GUS.token()])
      await attacker.query('ROLLBACK; CLOSE ALL')
      return error === 'AZ001' ? null : 'the next user got it unnoticed'
    }
  },
  {
    name: 'a cursor over the end of its context',
    run: async ({ attacker }) => {
      await begin(attacker, ADA)
      await attacker.query(`DECLARE open CURSOR FOR ${AGENTS}`)
      await attacker.query('SELECT twinrule.clear_tenant_context()')
      const { rows } = await tries(attacker, 'FETCH ALL FROM open')
      await attacker.query('ROLLBACK')
      return leak(rows)
    }
  },
  {
    name: 'a context of a transaction that was rolled back to a savepoint',
    run: async ({ attacker }) => {
      await attacker.query('BEGIN; SAVEPOINT s')
      await attacker.query('SELECT twinrule.set_tenant_context($1)', [ADA.token()])
      await attacker.query('ROLLBACK TO s')
      const { rows } = await tries(attacker, AGENTS)
      await attacker.query('ROLLBACK')
      return rows.length > 0 ? 'the context stayed' : null
    }
  },
  {
    name: 'a membership that ended in the meantime',
    run: async ({ attacker, owner }) => {
      await begin(attacker, ADA)
      await owner.query(`UPDATE user_tenants SET status = 'removed' WHERE user_id = '${DEMO.ada}'`)
      const { rows } = await tries(attacker, AGENTS)
      await attacker.query('COMMIT')
      await owner.query(`UPDATE user_tenants SET status = 'active' WHERE user_id = '${DEMO.ada}'`)
      return rows.length > 0 ? 'it still reads' : null
    }
  },
  {
    name: 'a tenant that was suspended in the meantime',
    run: async ({ attacker, owner }) => {
      await begin(attacker, ADA)
      await owner.query(`UPDATE tenants SET status = 'suspended' WHERE id = '${DEMO.acme}'`)
      const { rows } = await tries(attacker, AGENTS)
      await attacker.query('COMMIT')
      await owner.query(`UPDATE tenants SET status = 'active' WHERE id = '${DEMO.acme}'`)
      return rows.length > 0 ? 'it still reads' : null
    }
  },
  {
    name: 'parallel workers, which are other backends',
    run: async ({ attacker }) => {
      await attacker.query(
        'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 4'
      )
      await begin(attacker, GUS)
      const { rows } = await tries(attacker, AGENTS)
      await attacker.query('ROLLBACK; RESET ALL')
      return leak(rows) ?? (rows.length === 3 ? null : `gus saw ${rows.length} of his 3 rows`)
    }
  }
]

/** Attacks on the tenant context itself. */
export const CONTEXT_ATTACKS: readonly Attack[] = [
  ...PLAIN,
  ...IN_THE_MIDDLE,
  ...FORGED,
  NO_MEMBER,
  RETIRED,
  ...LEFTOVERS,
  refused(
    'user and tenant by name',
    `SELECT twinrule.set_tenant_context('${DEMO.ada}', '${DEMO.acme}')`,
    ['AZ001'],
    null
  )
]
