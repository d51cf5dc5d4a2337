import { DEMO } from '../support/example.js'
import {
  ADA,
  type Attack,
  begin,
  GUS,
  IVY,
  leak,
  ROOT,
  reads,
  refused,
  SECRET,
  tries,
  writes
} from './attack.js'

const AGENTS = 'SELECT id, name FROM agents'
const DENIED = ['42501']
const [GLOBAL, RECEIVED, OWN_ROW] = [DEMO.agent(3), DEMO.agent(2), DEMO.agent(4)]
const { acme, globex } = DEMO

const MOVES: readonly Attack[] = [
  writes('a row moved to another tenant', `UPDATE agents SET tenant_id = '${acme}' WHERE id = '${OWN_ROW}'`),
  writes('all rows moved to another tenant, without WHERE', `UPDATE agents SET tenant_id = '${acme}'`),
  writes(
    'a row moved by an upsert',
    `INSERT INTO agents (id, tenant_id, name) VALUES ('${OWN_ROW}', '${globex}', 'x') ON CONFLICT (id) DO UPDATE SET tenant_id = '${acme}'`
  ),
  writes(
    'a hidden row taken by an upsert',
    `INSERT INTO agents (id, tenant_id, name) VALUES ('${SECRET.id}', '${globex}', 'x') ON CONFLICT (id) DO UPDATE SET tenant_id = '${globex}'`
  ),
  writes(
    'a row moved by MERGE',
    `MERGE INTO agents AS a USING (SELECT '${OWN_ROW}'::uuid AS id) AS s ON a.id = s.id WHEN MATCHED THEN UPDATE SET tenant_id = '${acme}'`
  ),
  writes(
    'a hidden row taken by MERGE',
    `MERGE INTO agents AS a USING (SELECT '${SECRET.id}'::uuid AS id) AS s ON a.id = s.id WHEN MATCHED THEN UPDATE SET tenant_id = '${globex}'`
  ),
  writes('a hidden row taken', `UPDATE agents SET tenant_id = '${globex}' WHERE id = '${SECRET.id}'`),
  writes('a new row of another tenant', `INSERT INTO agents (tenant_id, name) VALUES ('${acme}', 'x')`)
]

const OTHERS_ROWS: readonly Attack[] = [
  writes('a globally shared row changed', `UPDATE agents SET name = 'x' WHERE id = '${GLOBAL}'`),
  writes('a globally shared row deleted', `DELETE FROM agents WHERE id = '${GLOBAL}'`),
  writes('a received row changed', `UPDATE agents SET name = 'x' WHERE id = '${RECEIVED}'`),
  writes('a received row deleted', `DELETE FROM agents WHERE id = '${RECEIVED}'`),
  writes('a received row locked', `SELECT id FROM agents WHERE id = '${RECEIVED}' FOR UPDATE`),
  writes('a received row locked for share', `SELECT id FROM agents WHERE id = '${RECEIVED}' FOR SHARE`),
  {
    name: 'a row that is shared with somebody else',
    run: async ({ attacker }) => {
      await begin(attacker, IVY)
      const { rows } = await tries(attacker, AGENTS)
      await attacker.query('ROLLBACK')
      return rows.some(({ id }) => id === RECEIVED) ? 'it is seen' : null
    }
  },
  writes('a hidden row deleted', `DELETE FROM agents WHERE id = '${SECRET.id}'`),
  {
    name: 'all rows deleted, without WHERE',
    run: async ({ attacker }) => {
      await begin(attacker, GUS)
      const { count } = await tries(attacker, 'DELETE FROM agents')
      await attacker.query('ROLLBACK')
      return count > 1 ? `it deleted ${count} rows` : null
    }
  },
  writes(
    'sharing with oneself',
    `UPDATE agents SET is_shared = true, sharing_mode = 'selective', shared_with = shared_with || '${globex}'::uuid WHERE id = '${SECRET.id}'`
  ),
  writes(
    'sharing on of a received row',
    `UPDATE agents SET shared_with = shared_with || '${DEMO.initech}'::uuid WHERE id = '${RECEIVED}'`
  ),
  writes(
    'publishing globally without the right',
    `UPDATE agents SET is_shared = true, sharing_mode = 'global' WHERE id = '${OWN_ROW}'`
  ),
  writes(
    'a new row, published globally',
    `INSERT INTO agents (tenant_id, name, is_shared, sharing_mode) VALUES ('${globex}', 'x', true, 'global')`
  ),
  writes(
    'a new row of the platform',
    `INSERT INTO agents (tenant_id, name, resource_type) VALUES ('${globex}', 'x', 'platform')`
  ),
  writes(
    "a row of one's own made one of the platform",
    `UPDATE agents SET resource_type = 'platform' WHERE id = '${OWN_ROW}'`
  )
]

/** What errors tell: the same must be said of what is hidden and of what is not there. */
const ORACLES: readonly Attack[] = (
  [
    [
      'an id that another tenant has',
      (id: string) => `INSERT INTO agents (id, tenant_id, name) VALUES ('${id}', '${globex}', 'x')`,
      SECRET.id
    ],
    [
      'a tenant that exists',
      (id: string) => `INSERT INTO agents (tenant_id, name) VALUES ('${id}', 'x')`,
      acme
    ],
    ['a row moved to a tenant that exists', (id: string) => `UPDATE agents SET tenant_id = '${id}'`, acme],
    [
      'a tenant to which one may be assigned',
      (id: string) => `SELECT twinrule.assign_user_to_tenant('${DEMO.gus}', '${id}')`,
      acme
    ],
    ['a tenant to which one has access', (id: string) => `SELECT twinrule.has_tenant_access('${id}')`, acme],
    [
      'a row of which one asks',
      (id: string) => `SELECT twinrule.can_access_resource('agent', '${id}')`,
      SECRET.id
    ]
  ] as const
).map(([name, text, there]) => ({
  name: `an oracle: ${name}`,
  run: async ({ attacker }) => {
    const answers: string[] = []
    for (const id of [there, '99999999-9999-4999-8999-999999999999']) {
      await begin(attacker, GUS)
      const { error, rows, message } = await tries(attacker, text(id))
      await attacker.query('ROLLBACK')
      answers.push(JSON.stringify([error, rows, message.replaceAll(id, 'ID')]))
    }
    return answers[0] === answers[1] ? null : answers.join(' but ')
  }
}))

const RIGHTS: readonly Attack[] = [
  refused(
    "a membership of one's own making",
    `INSERT INTO user_tenants (user_id, tenant_id, role, status) VALUES ('${DEMO.gus}', '${acme}', 'owner', 'active')`,
    DENIED
  ),
  refused(
    "a role of one's own making",
    `INSERT INTO user_roles (user_id, role) VALUES ('${DEMO.gus}', 'platform_admin')`,
    DENIED
  ),
  refused('a tenant set active', `UPDATE tenants SET status = 'active'`, DENIED),
  refused(
    'assigning oneself to another tenant',
    `SELECT twinrule.assign_user_to_tenant('${DEMO.gus}', '${acme}', 'member')`,
    DENIED
  ),
  refused(
    'making oneself the owner',
    `SELECT twinrule.assign_user_to_tenant('${DEMO.gus}', '${globex}', 'owner')`,
    DENIED
  ),
  refused('making oneself an administrator', `SELECT twinrule.grant_platform_admin('${DEMO.gus}')`, DENIED),
  refused(
    'making oneself an administrator, in the role',
    `SET LOCAL ROLE authz_platform_admin; SELECT twinrule.grant_platform_admin('${DEMO.gus}')`,
    DENIED
  ),
  refused('entering the role', `SELECT twinrule.enter_role('authz_platform_admin', 'why not')`, DENIED),
  refused('entering another role', `SELECT twinrule.enter_role('twinrule_context')`, DENIED),
  refused('entering a superuser', `SELECT twinrule.enter_role('postgres')`, DENIED),
  refused(
    'entering with an injection',
    `SELECT twinrule.enter_role('authz_platform_admin; RESET ROLE')`,
    DENIED
  ),
  refused(
    'being let in without entering',
    `SELECT twinrule.admit_to_role('authz_platform_admin', NULL)`,
    DENIED
  ),
  reads('SET LOCAL ROLE', `SET LOCAL ROLE authz_platform_admin; ${AGENTS}`),
  reads('set_config of the role', `SELECT set_config('role', 'authz_platform_admin', true)`),
  reads(
    'the role and a context of another',
    `SET LOCAL ROLE authz_platform_admin; SELECT set_config('twinrule.user_id', '${DEMO.root}', true)`
  ),
  {
    name: 'the role by a replayed entry of the administrator',
    run: async ({ attacker, victim }) => {
      await begin(victim, ROOT)
      await victim.query("SELECT twinrule.enter_role('authz_platform_admin')")
      const { rows } = await victim.query("SELECT current_setting('twinrule.entered_seal') AS seal")
      await begin(attacker, GUS)
      await attacker.query("SELECT set_config('twinrule.entered_seal', $1, true)", [rows[0].seal])
      await attacker.query('SET LOCAL ROLE authz_platform_admin')
      const { rows: seen } = await tries(attacker, AGENTS)
      await attacker.query('ROLLBACK')
      await victim.query('ROLLBACK')
      return leak(seen)
    }
  },
  {
    name: 'an administrator in the role without a record of it',
    run: async ({ attacker }) => {
      await begin(attacker, ROOT)
      await attacker.query('SET LOCAL ROLE authz_platform_admin')
      const { rows } = await tries(attacker, AGENTS)
      await attacker.query('ROLLBACK')
      return rows.length > 0 ? 'he saw rows' : null
    }
  },
  {
    name: 'an entry that leaves no record',
    run: async ({ attacker, owner }) => {
      const entries = async () =>
        (await owner.query('SELECT count(*)::int AS n FROM twinrule.role_entries')).rows[0].n
      const before = await entries()
      await begin(attacker, ROOT)
      await attacker.query("SELECT twinrule.enter_role('authz_platform_admin')")
      const { rows } = await tries(attacker, AGENTS)
      await attacker.query('COMMIT')
      return rows.length === 4 && (await entries()) === before + 1 ? null : 'no record, or no entry'
    }
  },
  {
    name: 'an administrator who is none any more, in the middle of his transaction',
    run: async ({ attacker, owner }) => {
      await begin(attacker, ROOT)
      await attacker.query("SELECT twinrule.enter_role('authz_platform_admin')")
      await owner.query(`DELETE FROM user_roles WHERE user_id = '${DEMO.root}' AND role = 'platform_admin'`)
      const { rows } = await tries(attacker, AGENTS)
      await attacker.query('ROLLBACK')
      await owner.query(`INSERT INTO user_roles (user_id, role) VALUES ('${DEMO.root}', 'platform_admin')`)
      return rows.length > 0 ? 'he still saw rows' : null
    }
  },
  {
    name: 'an admin of a tenant who makes himself its owner',
    run: async ({ attacker, owner }) => {
      await owner.query(`UPDATE user_tenants SET role = 'admin' WHERE user_id = '${DEMO.gus}'`)
      await begin(attacker, GUS)
      const assign = `SELECT twinrule.assign_user_to_tenant('${DEMO.gus}', '${globex}', 'owner')`
      const { error } = await tries(attacker, assign)
      await attacker.query('ROLLBACK')
      await owner.query(`UPDATE user_tenants SET role = 'member' WHERE user_id = '${DEMO.gus}'`)
      return error === '42501' ? null : 'he did'
    }
  },
  ...['context_keys', 'role_entries', 'state', 'verified', 'related_tables'].map(table =>
    refused(`reading twinrule.${table}`, `SELECT * FROM twinrule.${table}`, DENIED)
  ),
  ...[
    'verified_context()',
    `membership('${DEMO.ada}', '${acme}')`,
    "principal_facts('', '')",
    "resource_facts('', '')",
    "decision_facts('{}', '{}', '{}', '{}')",
    'installed_revision()'
  ].map(call => refused(`calling ${call}`, `SELECT twinrule.${call}`, DENIED)),
  ...['twinrule_context', 'twinrule_facts', 'twinrule_service', 'postgres', 'pg_read_all_data'].map(role =>
    refused(`SET ROLE ${role}`, `SET LOCAL ROLE ${role}`, DENIED)
  )
]

/** What must go on: a lock that lets nobody do anything would hold every attack. */
const ALLOWED: readonly Attack[] = [
  ...(
    [
      [GUS, 3],
      [ADA, 3]
    ] as const
  ).map(
    ([who, rows]): Attack => ({
      name: `the rows of ${who === GUS ? 'gus' : 'ada'}`,
      run: async ({ attacker }) => {
        await begin(attacker, who)
        const seen = await tries(attacker, AGENTS)
        const changed = await tries(attacker, 'UPDATE agents SET name = name')
        await attacker.query('ROLLBACK')
        const right = seen.rows.length === rows && changed.count === (who === GUS ? 1 : 2)
        return right
          ? null
          : `${seen.rows.length} read, ${changed.count} changed: ${seen.message}${changed.message}`
      }
    })
  )
]

/** Attacks by statements, in a context that is right. */
export const STATEMENT_ATTACKS: readonly Attack[] = [
  ...MOVES,
  ...OTHERS_ROWS,
  ...ORACLES,
  ...RIGHTS,
  ...ALLOWED
]
