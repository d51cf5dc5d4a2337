import { type Attack, begin, GUS, leak, OWN, reads, refused, SECRET, tries } from './attack.js'

const AGENTS = 'SELECT id, name FROM agents'
const DENIED = ['42501']

/** Something harmless for the rows that gus may read, and something else for the others. */
const ofOthers = (own: string, other: string): string =>
  `(CASE WHEN id IN (${OWN.map(id => `'${id}'`).join(', ')}) THEN ${own} ELSE ${other} END)`

/** Every mode but the weakest, which whoever reads the table takes anyway. */
const LOCKS = [
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE'
]

/** Attacks that go around the policies, in a context that is right. */
export const AROUND_ATTACKS: readonly Attack[] = [
  ...LOCKS.flatMap(mode => [
    refused(`LOCK TABLE in ${mode} mode`, `LOCK TABLE agents IN ${mode} MODE`, DENIED),
    refused(
      `the same in a role, in ${mode} mode`,
      `SET LOCAL ROLE authz_platform_admin; LOCK TABLE agents IN ${mode} MODE`,
      DENIED
    )
  ]),
  refused('TRUNCATE', 'TRUNCATE agents', DENIED),
  refused('TRUNCATE CASCADE of the tenants', 'TRUNCATE tenants CASCADE', DENIED),
  reads('COPY TO', `COPY agents TO STDOUT`),
  refused('row_security off', `SET LOCAL row_security = off; ${AGENTS}`, DENIED),
  refused('disabling row-level security', 'ALTER TABLE agents DISABLE ROW LEVEL SECURITY', DENIED),
  refused('dropping a policy', 'DROP POLICY twinrule_agents_select ON agents', DENIED),
  refused("a policy of one's own", 'CREATE POLICY mine ON agents USING (true)', DENIED),
  refused('BYPASSRLS for oneself', 'ALTER ROLE twinrule_app BYPASSRLS', DENIED),
  refused('the session of another', `SET SESSION AUTHORIZATION postgres`, DENIED),
  refused(
    "a trigger of one's own",
    'CREATE TRIGGER mine AFTER UPDATE ON agents EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    DENIED
  ),
  refused('a table in public', 'CREATE TABLE public.mine ()', DENIED),
  refused('a view in public', `CREATE VIEW public.mine AS ${AGENTS}`, DENIED),
  refused('a function in public', 'CREATE FUNCTION public.mine() RETURNS int RETURN 1', DENIED),
  refused('a function in twinrule', 'CREATE FUNCTION twinrule.mine() RETURNS int RETURN 1', DENIED),
  refused('a schema', 'CREATE SCHEMA mine', DENIED),
  refused('passwords', 'SELECT * FROM pg_authid', DENIED),
  refused('files of the server', `SELECT pg_read_file('PG_VERSION')`, DENIED),
  refused('a file written by COPY', `COPY (SELECT 1) TO '/dev/null'`, DENIED),
  refused('a program run by COPY', `COPY (SELECT 1) TO PROGRAM 'true'`, DENIED),
  {
    name: 'statistics of the planner',
    run: async ({ attacker, owner }) => {
      await owner.query('ANALYZE agents')
      await begin(attacker, GUS)
      const { rows } = await tries(attacker, "SELECT * FROM pg_stats WHERE tablename = 'agents'")
      await attacker.query('ROLLBACK')
      return rows.length > 0 ? `it read ${rows.length} columns` : null
    }
  },
  ...[
    ['a cast that fails on a hidden row', `${AGENTS} WHERE ${ofOthers("'0'", 'name')}::int = 1`],
    [
      'a division that fails on a hidden row',
      `${AGENTS} WHERE 1 / (CASE name WHEN '${SECRET.name}' THEN 0 ELSE 1 END) = 1`
    ],
    ['a function that tells what it sees', `${AGENTS} WHERE pg_catalog.format('%s', name)::xml IS NOT NULL`],
    ['an error in ORDER BY', `${AGENTS} ORDER BY ${ofOthers("'0'", 'name')}::numeric`]
  ].map(
    ([name = '', text = '']): Attack => ({
      name,
      run: async ({ attacker }) => {
        await begin(attacker, GUS)
        const { message, error, rows } = await tries(attacker, text)
        await attacker.query('ROLLBACK')
        const hidden = message.includes(SECRET.name) || error === '22012'
        return hidden ? `the error tells: ${message}` : leak(rows)
      }
    })
  ),
  reads("a search path of one's own", `SET LOCAL search_path = pg_temp, public; ${AGENTS}`),
  reads('no search path', `SET LOCAL search_path = ''; SELECT id, name FROM public.agents`),
  reads(
    'an id for can_access_resource',
    `SELECT id, name FROM agents WHERE twinrule.can_access_resource('agent', '${SECRET.id}') `
  ),
  {
    name: 'can_access_resource of a hidden row',
    run: async ({ attacker }) => {
      await begin(attacker, GUS)
      const asks = ['read', 'update', 'delete'].map(
        action => `SELECT twinrule.can_access_resource('agent', '${SECRET.id}', '${action}') AS may`
      )
      const { rows } = await tries(attacker, asks.join(' UNION ALL '))
      await attacker.query('ROLLBACK')
      return rows.length === 3 && rows.every(({ may }) => may === false) ? null : JSON.stringify(rows)
    }
  },
  ...[
    `SELECT * FROM twinrule.get_tenant_by_slug('x'' OR true --')`,
    `SELECT * FROM twinrule.get_tenant_by_domain('%')`,
    `SELECT twinrule.can_access_resource('agent'' OR true --', '${SECRET.id}')`
  ].map(
    (text): Attack => ({
      name: `an injection into a function: ${text}`,
      run: async ({ attacker }) => {
        await begin(attacker, GUS)
        const { rows } = await tries(attacker, text)
        await attacker.query('ROLLBACK')
        const empty = rows.every(row => Object.values(row).every(value => value === false))
        return empty ? null : JSON.stringify(rows)
      }
    })
  ),
  {
    name: 'another tenant looked up by its slug',
    run: async ({ attacker }) => {
      await begin(attacker, GUS)
      const { rows } = await tries(attacker, `SELECT name, slug FROM twinrule.get_tenant_by_slug('acme')`)
      await attacker.query('ROLLBACK')
      return rows.length === 1 && rows[0]?.['name'] === null ? null : JSON.stringify(rows)
    }
  }
]
