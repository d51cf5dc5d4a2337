import type { SqlObject } from '../../src/backends/sql/object.js'
import { mutate, type SqlMutant, type Switch } from './mutants.js'

const SET = /^"twinrule"\."set_tenant_context"\(text\)/
const FORM: readonly [RegExp, string] = [/IF \(\$1 ~ [\s\S]*? IS NOT TRUE THEN/, 'IF false THEN']
const SIGNATURE: readonly [RegExp, string] = [
  /IF part\[6\] IS DISTINCT FROM \([\s\S]*?\) THEN/,
  'IF false THEN'
]
const AS_OWNER = 'OWNER TO CURRENT_USER'

/** Mutants for attacks that more than one safeguard holds: all of them are taken out. */
const LAYERED_MUTANTS: readonly SqlMutant[] = [
  {
    name: 'neither the form nor the signature of a token',
    object: SET,
    from: FORM[0],
    to: FORM[1],
    also: [SIGNATURE]
  },
  {
    name: 'neither the signature nor the longest time of a token',
    object: SET,
    from: SIGNATURE[0],
    to: SIGNATURE[1],
    also: [['ELSIF part[5]::bigint > clock + 120', 'ELSIF false']]
  },
  {
    name: 'can_access_resource tells what is there',
    object: /"can_access_resource"/,
    from: 'SECURITY INVOKER',
    to: 'SECURITY DEFINER',
    also: [
      [/OWNER TO "twinrule_context"/, AS_OWNER],
      ['\nBEGIN\n', '\nBEGIN\n  RETURN EXISTS (SELECT FROM public.agents WHERE id = $2);\n']
    ]
  },
  {
    name: 'a slug in the text of a statement',
    object: /"get_tenant_by_slug"/,
    from: /SELECT \* INTO hit FROM[^;]*;/,
    to: `EXECUTE 'SELECT * FROM public.tenants AS t WHERE t.slug = ''' || $1 || '''' INTO hit;`
  },
  {
    name: 'a domain as a pattern',
    object: /"get_tenant_by_domain"/,
    from: 'lower(t."domain") = lower($1)',
    to: 't.slug LIKE $1'
  },
  {
    name: 'soft_delete of any type, with the rights of the migration',
    object: /"soft_delete"/,
    from: 'CASE $1',
    to: 'CASE left($1, 5)',
    also: [[/OWNER TO "twinrule_remover"/, AS_OWNER]]
  }
]

const OPEN = 'CREATE POLICY mutant ON agents USING (true) WITH CHECK (true)'
const SHUT = 'DROP POLICY mutant ON agents'
const COLUMNS = 'UPDATE (tenant_id, is_shared, sharing_mode, shared_with, deleted_at), INSERT (id)'

/** Grants and policies that have to be opened together before an attack gets through. */
const LAYERED_SWITCHES: readonly Switch[] = [
  [
    'rights, policies and the guard of columns',
    `GRANT ${COLUMNS} ON agents TO twinrule_app; ALTER TABLE agents DISABLE TRIGGER USER; ${OPEN}`,
    `REVOKE ${COLUMNS} ON agents FROM twinrule_app; ALTER TABLE agents ENABLE TRIGGER USER; ${SHUT}`
  ],
  [
    'no DELETE, and its policies',
    `GRANT DELETE ON agents TO twinrule_app; ${OPEN}`,
    `REVOKE DELETE ON agents FROM twinrule_app; ${SHUT}`
  ],
  [
    'ids are made by the database',
    'GRANT INSERT (id) ON agents TO twinrule_app',
    'REVOKE INSERT (id) ON agents FROM twinrule_app'
  ],
  [
    'roles and tenants are closed',
    `GRANT INSERT, UPDATE ON user_roles, tenants TO twinrule_app; CREATE POLICY mutant ON user_roles USING (true);
     CREATE POLICY mutant ON tenants USING (true)`,
    `REVOKE INSERT, UPDATE ON user_roles, tenants FROM twinrule_app; DROP POLICY mutant ON user_roles;
     DROP POLICY mutant ON tenants`
  ],
  [
    'the books of twinrule are closed',
    'GRANT SELECT ON twinrule.state, twinrule.verified, twinrule.related_tables TO twinrule_app',
    'REVOKE SELECT ON twinrule.state, twinrule.verified, twinrule.related_tables FROM twinrule_app'
  ],
  [
    'no TRUNCATE of any table',
    'GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO twinrule_app',
    'REVOKE TRUNCATE ON ALL TABLES IN SCHEMA public FROM twinrule_app'
  ],
  [
    'no membership of those who read more',
    'GRANT twinrule_facts, twinrule_service, pg_read_all_data TO twinrule_app',
    'REVOKE twinrule_facts, twinrule_service, pg_read_all_data FROM twinrule_app'
  ],
  [
    'the role for lists only reads',
    `${listerRights('GRANT', 'TO')}; CREATE POLICY mutant ON agents TO twinrule_lister USING (true)`,
    `${listerRights('REVOKE', 'FROM')}; DROP POLICY mutant ON agents`
  ],
  ['the login is no superuser', 'ALTER ROLE twinrule_app SUPERUSER', 'ALTER ROLE twinrule_app NOSUPERUSER'],
  ['no function of twinrule is for everybody', functionsFor('GRANT', 'TO'), functionsFor('REVOKE', 'FROM')]
].map(([name = '', off = '', on = '']) => ({ name, off, on }))

/** Functions that nobody but other functions and the service calls. */
function functionsFor(verb: string, to: string): string {
  const signatures = [
    'membership(uuid, uuid)',
    'principal_facts(text, text)',
    'resource_facts(text, text)',
    'installed_revision()'
  ]
  return signatures.map(one => `${verb} EXECUTE ON FUNCTION twinrule.${one} ${to} twinrule_app`).join('; ')
}

function listerRights(verb: string, to: string): string {
  const calls = 'twinrule.soft_delete(text, uuid), twinrule.share(text, uuid, uuid)'
  return [
    `${verb} INSERT, UPDATE, DELETE, TRUNCATE ON agents ${to} twinrule_lister`,
    `${verb} SELECT ON tenants ${to} twinrule_lister`,
    `${verb} EXECUTE ON FUNCTION ${calls} ${to} twinrule_lister`,
    `DO $$ BEGIN EXECUTE format('${verb} TEMPORARY ON DATABASE %I ${to} twinrule_lister', current_database()); END $$`
  ].join('; ')
}

/** A change of a text, and rights with it. */
const WITH_RIGHTS: readonly (SqlMutant & { readonly rights: string; readonly of: string })[] = [
  {
    name: 'anybody enters any role',
    object: /^"twinrule"\."admit_to_role"/,
    from: /IF NOT COALESCE\([\s\S]*?, false\) THEN/,
    to: 'IF false THEN',
    rights: 'twinrule_context, postgres',
    of: 'twinrule_app'
  },
  {
    name: 'anybody enters any role, from the role for lists',
    object: /^"twinrule"\."admit_to_role"/,
    from: /IF NOT COALESCE\([\s\S]*?, false\) THEN/,
    to: 'IF false THEN',
    rights: 'EXECUTE ON FUNCTION twinrule.enter_role(text, text), twinrule.admit_to_role(text, text)',
    of: 'twinrule_lister'
  },
  {
    name: 'anybody makes administrators',
    object: /"grant_platform_admin"/,
    from: 'IF NOT twinrule.is_platform_admin() THEN',
    to: 'IF false THEN',
    rights: 'EXECUTE ON FUNCTION twinrule.grant_platform_admin(uuid)',
    of: 'twinrule_app'
  }
]

/** Everything that is taken out together with something else. */
export function layered(objects: readonly SqlObject[]): readonly Switch[] {
  const withRights = WITH_RIGHTS.map(({ rights, of, ...mutant }): Switch => {
    const { name, off, on } = mutate(objects, mutant)
    return { name, off: `${off}; GRANT ${rights} TO ${of}`, on: `${on}; REVOKE ${rights} FROM ${of}` }
  })
  return [...LAYERED_MUTANTS.map(mutant => mutate(objects, mutant)), ...LAYERED_SWITCHES, ...withRights]
}
