import type { SqlObject } from '../../src/backends/sql/object.js'

/** One thing taken out of the generated SQL, and the object in which it stands. */
export interface SqlMutant {
  readonly name: string
  readonly object: RegExp
  readonly from: string | RegExp
  readonly to: string
  /** What else has to go before an attack can get through: there is more than one safeguard. */
  readonly also?: readonly (readonly [from: string | RegExp, to: string])[]
}

/** SQL that takes a safeguard out, and SQL that brings it back. */
export interface Switch {
  readonly name: string
  readonly off: string
  readonly on: string
}

const VERIFIED = /^"twinrule"\."verified_context"/
const SET = /^"twinrule"\."set_tenant_context"\(text\)/
const SEALING = /^"twinrule"\."(?:verified_context"|set_tenant_context"\(text\))/
/** Each function that asks for the membership itself. */
const MEMBERSHIP =
  /^"twinrule"\."(?:membership|set_tenant_context"\(text\)|get_current_\w+_id|principal_(?!facts)\w+|is_platform_admin|context_(?!user_id"|tenant_id")\w+)/
const ADMIT = /^"twinrule"\."admit_to_role"/
const ENTERED = /^"twinrule"\."entered_platform_admin"/
const READ = /^twinrule_agents_select$/
const LIST = /^twinrule_agents_list$/
const CHANGE = /^twinrule_agents_update$/

const block = (what: string) => new RegExp(`  (?:IF|ELSIF) ${what}[\\s\\S]*?(?=\\n  (?:ELSIF|END IF))`)

/** What verifies the context. */
const CONTEXT: readonly SqlMutant[] = [
  {
    name: 'the seal is not compared',
    object: VERIFIED,
    from: /IF held IS DISTINCT FROM \([\s\S]*?\) THEN/,
    to: 'IF false THEN'
  },
  {
    name: 'the seal without the user',
    object: SEALING,
    from: /('context', )(?:part\[4\]|current_setting\('twinrule\.user_id', true\))/g,
    to: "$1''"
  },
  {
    name: 'the seal without the tenant',
    object: SEALING,
    from: /(?:part\[3\]|current_setting\('twinrule\.tenant_id', true\))(?=, begun)/g,
    to: "''"
  },
  {
    name: 'the seal without the transaction',
    object: SEALING,
    from: /, \(extract\(epoch FROM transaction_timestamp\(\)\) \* 1000000\)::bigint/g,
    to: ''
  },
  {
    name: 'the seal without the transaction and the backend',
    object: SEALING,
    from: /, pg_backend_pid\(\), \(extract\(epoch FROM transaction_timestamp\(\)\) \* 1000000\)::bigint/g,
    to: ''
  },
  {
    name: 'a context counts in the message that sets it',
    object: VERIFIED,
    from: 'IF begun =',
    to: 'IF false AND begun ='
  },
  {
    name: 'an empty seal is verified',
    object: VERIFIED,
    from: "IF held IS NULL OR held = '' THEN\n    RETURN false",
    to: "IF held IS NULL OR held = '' THEN\n    RETURN true"
  },
  {
    name: 'the signature is not compared',
    object: SET,
    from: /IF part\[6\] IS DISTINCT FROM \([\s\S]*?\) THEN/,
    to: 'IF false THEN'
  },
  { name: 'unknown keys are taken', object: SET, from: 'part[6] IS DISTINCT FROM (', to: 'part[6] <> (' },
  { name: 'retired keys count', object: SET, from: ' AND k.retired_at IS NULL', to: '' },
  { name: 'expired tokens are taken', object: SET, from: 'IF part[5]::bigint <= clock', to: 'IF false' },
  {
    name: 'tokens are valid for as long as they say',
    object: SET,
    from: 'ELSIF part[5]::bigint > clock + 120',
    to: 'ELSIF false'
  },
  {
    name: 'the form of a token is not checked',
    object: SET,
    from: /IF \(\$1 ~ [\s\S]*? IS NOT TRUE THEN/,
    to: 'IF false THEN'
  },
  {
    name: 'a second principal in one transaction',
    object: SET,
    from: /IF \(current_setting[^\n]*THEN/,
    to: 'IF false THEN'
  },
  {
    name: 'a membership is not asked at the start',
    object: SET,
    from: /IF NOT EXISTS \(SELECT m\.user_id[\s\S]*?THEN/,
    to: 'IF false THEN'
  },
  { name: 'the settings stay for the session', object: SET, from: /, true\)/g, to: ', false)' },
  { name: 'cursors WITH HOLD are not noticed', object: SET, from: 'WHERE is_holdable', to: 'WHERE false' },
  {
    name: 'the unsigned form is taken',
    object: /set_tenant_context"\(uuid, uuid\)/,
    from: /RAISE EXCEPTION[^\n]*;/,
    to: 'RETURN true;'
  },
  { name: 'members who are not active', object: MEMBERSHIP, from: /m\.status = 'active' AND /g, to: '' },
  { name: 'tenants that are not active', object: MEMBERSHIP, from: / AND t\.status = 'active'/g, to: '' },
  {
    name: 'a member of any tenant',
    object: MEMBERSHIP,
    from: /(?<=m\.user_id = .*) AND m\.tenant_id = .*/g,
    to: ''
  },
  {
    name: 'roles of everybody',
    object: MEMBERSHIP,
    from: /WHERE r\.user_id = m\.user_id AND r\.tenant_id IS NULL\)/g,
    to: 'WHERE r.tenant_id IS NULL)'
  },
  {
    name: 'the tenant of an accessor is the claim',
    object: /"context_tenant_id"/,
    from: 'IF twinrule.verified_context() THEN',
    to: 'IF true THEN'
  },
  {
    name: 'the first question is not asked of a verified context',
    object: /"get_current_user_id"/,
    from: 'IF NOT twinrule.verified_context() THEN',
    to: 'IF false THEN'
  },
  {
    name: 'an accessor gives NULL for a context that is gone',
    object: /"context_tenant_id"/,
    from: /RAISE EXCEPTION[^\n]*;/,
    to: "RETURN NULLIF(current_setting('twinrule.tenant_id', true), '')::uuid;"
  }
]

/** Who may enter a role, and on what record. */
const ENTRIES: readonly SqlMutant[] = [
  {
    name: 'anybody enters',
    object: ADMIT,
    from: /IF NOT COALESCE\([\s\S]*?, false\) THEN/,
    to: 'IF false THEN'
  },
  {
    name: 'an entry without a record',
    object: ADMIT,
    from: /INSERT INTO twinrule\.role_entries[\s\S]*?;/,
    to: ''
  },
  { name: 'the role without an entry', object: ENTERED, from: / AND COALESCE\([\s\S]*\)(?=;\nEND)/, to: '' },
  {
    name: 'the role without the flag',
    object: ENTERED,
    from: 'twinrule.context_is_platform_admin()',
    to: 'true'
  },
  {
    name: 'everybody has the flag',
    object: /"is_platform_admin"/,
    from: /RETURN COALESCE[\s\S]*?;/,
    to: 'RETURN true;'
  },
  {
    name: 'everybody grants administrators',
    object: /"grant_platform_admin"/,
    from: /IF NOT [\s\S]*?END IF;/,
    to: ''
  },
  {
    name: 'its right to be called',
    object: /"grant_platform_admin"/,
    from: /GRANT EXECUTE (ON FUNCTION [^;]*) TO [^;]*;/,
    to: 'GRANT EXECUTE $1 TO PUBLIC;'
  },
  {
    name: 'everybody assigns users',
    object: /"assign_user_to_tenant"/,
    from: block('NOT is_admin AND COALESCE'),
    to: '  IF false THEN'
  },
  {
    name: 'members make owners',
    object: /"assign_user_to_tenant"/,
    from: block("NOT is_admin AND own_role <> 'owner'"),
    to: '  IF false THEN'
  }
]

/** The rules of a table. */
const POLICIES: readonly SqlMutant[] = [
  { name: 'only the half that narrows', object: READ, from: /AND CASE[\s\S]*END\n/, to: '' },
  { name: 'no policy for reading but true', object: READ, from: /USING \([\s\S]*\);/, to: 'USING (true);' },
  {
    name: 'the guard by what is claimed',
    object: READ,
    from: /\(SELECT twinrule\.context_tenant_id\(\)\)/g,
    to: 'twinrule.claimed_tenant_id()'
  },
  {
    name: 'the guard by what is claimed, once a statement',
    object: READ,
    from: /\(SELECT twinrule\.context_tenant_id\(\)\)/g,
    to: '(SELECT twinrule.claimed_tenant_id())'
  },
  { name: 'no policy for lists but true', object: LIST, from: /USING \([\s\S]*\);/, to: 'USING (true);' },
  {
    name: 'a list by what is claimed',
    object: LIST,
    from: /\(SELECT twinrule\.context_tenant_id\(\)\)/g,
    to: 'twinrule.claimed_tenant_id()'
  },
  {
    name: 'more than reading in the role for lists',
    object: /^agents twinrule_lister$/,
    from: 'GRANT SELECT ON',
    to: 'GRANT SELECT, DELETE ON'
  },
  {
    name: 'a row that is shared with anybody',
    object: READ,
    from: /"shared_with" @> ARRAY\[[^\]]*\]::uuid\[\]/g,
    to: '"shared_with" IS NOT NULL'
  },
  {
    name: 'a shared row may be changed',
    object: CHANGE,
    from: /"tenant_id" = (?:\(SELECT [^)]*\(\)\)|twinrule\.claimed_tenant_id\(\))/g,
    to: '"shared_with" IS NOT NULL'
  },
  { name: 'no WITH CHECK', object: CHANGE, from: /WITH CHECK \([\s\S]*\);/, to: 'WITH CHECK (true);' },
  { name: 'USING as WITH CHECK', object: CHANGE, from: /WITH CHECK \([\s\S]*\);/, to: ';' },
  { name: 'a new row may be global', object: CHANGE, from: /\n\s+AND "sharing_mode" <> 'global'/, to: '' },
  {
    name: 'a new row may be of the platform',
    object: CHANGE,
    from: /"resource_type" <> 'platform'\n\s+AND /,
    to: ''
  },
  {
    name: 'an insert for any tenant',
    object: /^twinrule_agents_insert$/,
    from: /WITH CHECK \([\s\S]*\);/,
    to: 'WITH CHECK (true);'
  },
  {
    name: 'any row may be deleted',
    object: /^twinrule_agents_delete$/,
    from: /USING \([\s\S]*\);/,
    to: 'USING (true);'
  },
  {
    name: 'the administrator without an entry',
    object: /^twinrule_agents_select_platform_admin$/,
    from: 'entered_platform_admin',
    to: 'context_is_platform_admin'
  },
  {
    name: 'the role for everybody in it',
    object: /^twinrule_agents_select_platform_admin$/,
    from: /USING \([\s\S]*\);/,
    to: 'USING (true);'
  },
  {
    name: 'can_access_resource with the rights of another',
    object: /"can_access_resource"/,
    from: /RETURN false;/,
    to: 'RETURN true;'
  },
  {
    name: 'can_access_resource that says yes',
    object: /"can_access_resource"/,
    from: /RETURN EXISTS \([\s\S]*?\n {4}\);/,
    to: 'RETURN true;'
  }
]

/** Every mutant of a text. */
export const MUTANTS: readonly SqlMutant[] = [...CONTEXT, ...ENTRIES, ...POLICIES]

/** Statements that undo a safeguard, and those that bring it back. */
export const SWITCHES: readonly Switch[] = [
  ...[
    [
      'row-level security',
      'ALTER TABLE agents DISABLE ROW LEVEL SECURITY',
      'ALTER TABLE agents ENABLE ROW LEVEL SECURITY'
    ],
    ['no BYPASSRLS', 'ALTER ROLE twinrule_app BYPASSRLS', 'ALTER ROLE twinrule_app NOBYPASSRLS'],
    [
      'keys are secret',
      'GRANT SELECT ON twinrule.context_keys TO twinrule_app',
      'REVOKE SELECT ON twinrule.context_keys FROM twinrule_app'
    ],
    [
      'the record is closed',
      'GRANT SELECT ON twinrule.role_entries TO twinrule_app',
      'REVOKE SELECT ON twinrule.role_entries FROM twinrule_app'
    ],
    [
      'no TRUNCATE',
      'GRANT TRUNCATE ON agents TO twinrule_app',
      'REVOKE TRUNCATE ON agents FROM twinrule_app'
    ],
    ['no DELETE', 'GRANT DELETE ON agents TO twinrule_app', 'REVOKE DELETE ON agents FROM twinrule_app'],
    [
      'no DELETE in a role that is entered',
      'GRANT DELETE ON agents TO authz_platform_admin',
      'REVOKE DELETE ON agents FROM authz_platform_admin'
    ],
    [
      'no CREATE in public',
      'GRANT CREATE ON SCHEMA public TO twinrule_app',
      'REVOKE CREATE ON SCHEMA public FROM twinrule_app'
    ],
    [
      'no CREATE in twinrule',
      'GRANT CREATE ON SCHEMA twinrule TO twinrule_app',
      'REVOKE CREATE ON SCHEMA twinrule FROM twinrule_app'
    ],
    [
      'tenancy is closed',
      'GRANT SELECT, INSERT, UPDATE ON user_tenants TO twinrule_app; CREATE POLICY open ON user_tenants USING (true)',
      'REVOKE ALL ON user_tenants FROM twinrule_app; DROP POLICY open ON user_tenants'
    ],
    ['no other policy', 'CREATE POLICY open ON agents FOR SELECT USING (true)', 'DROP POLICY open ON agents'],
    [
      'private functions',
      'GRANT EXECUTE ON FUNCTION twinrule.verified_context() TO twinrule_app',
      'REVOKE EXECUTE ON FUNCTION twinrule.verified_context() FROM twinrule_app'
    ],
    [
      'facts are for the service',
      'GRANT EXECUTE ON FUNCTION twinrule.decision_facts(text[], text[], text[], text[]) TO twinrule_app',
      'REVOKE EXECUTE ON FUNCTION twinrule.decision_facts(text[], text[], text[], text[]) FROM twinrule_app'
    ],
    [
      'no membership of an owner',
      'GRANT twinrule_context TO twinrule_app',
      'REVOKE twinrule_context FROM twinrule_app'
    ],
    [
      'a guard over new tables',
      'ALTER EVENT TRIGGER twinrule_guard_new_tables DISABLE',
      'ALTER EVENT TRIGGER twinrule_guard_new_tables ENABLE'
    ],
    [
      'no membership of those who delete',
      'GRANT twinrule_remover TO twinrule_app',
      'REVOKE twinrule_remover FROM twinrule_app'
    ],
    [
      'no membership of those who share',
      'GRANT twinrule_sharer TO twinrule_app',
      'REVOKE twinrule_sharer FROM twinrule_app'
    ],
    [
      "no trigger of one's own",
      'GRANT TRIGGER ON agents TO twinrule_app',
      'REVOKE TRIGGER ON agents FROM twinrule_app'
    ]
  ].map(([name = '', off = '', on = '']) => ({ name, off, on }))
]

/** The SQL of a mutant. @throws Error when there is nothing to change */
export function mutate(
  objects: readonly SqlObject[],
  { name, object, from, to, also = [] }: SqlMutant
): Switch {
  const found = objects.filter(one => object.test(one.name)).map(({ up }) => String(up))
  const changed = found.map(original =>
    [[from, to] as const, ...also].reduce((text, [what, by]) => {
      const without = text.replace(what, by)
      if (without === text) throw new Error(`${name}: nothing to change in an object ${object}`)
      return without
    }, original)
  )
  if (found.length === 0) throw new Error(`${name}: there is no object ${object}`)
  return { name, off: changed.join('\n'), on: found.join('\n') }
}
