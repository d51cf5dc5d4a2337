import { type Fragment, sql } from '../../backends/sql/fragment.js'

/** The access privileges of an object as a sorted list, without those of its owner. */
export function privileges(acl: Fragment, owner: Fragment): Fragment {
  return sql`SELECT concat(a.privilege_type, ' ', COALESCE(g.rolname, 'PUBLIC'),
    CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END) AS entry
  FROM aclexplode(${acl}) AS a LEFT JOIN pg_roles AS g ON g.oid = a.grantee WHERE a.grantee <> ${owner}`
}

/** The entries of a query with one column `entry` as one JSON list. */
export function list(entries: Fragment): Fragment {
  return sql`(SELECT COALESCE(jsonb_agg(entry ORDER BY entry COLLATE "C"), '[]') FROM (SELECT DISTINCT entry FROM (${entries}) AS listed) AS known)`
}

/** Each below is a query over the relations `managed` with the columns kind, name and facts. */
export const POLICIES = sql`
SELECT 'policy', format('%s ON %s', p.polname, m.name), jsonb_build_object(
  'table', m.name, 'permissive', p.polpermissive,
  'command', CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete' ELSE 'all' END,
  'roles', ${list(sql`SELECT COALESCE(r.rolname, 'PUBLIC') AS entry FROM unnest(p.polroles) AS held (role) LEFT JOIN pg_roles AS r ON r.oid = held.role`)},
  'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy AS p JOIN managed AS m ON m.oid = p.polrelid`

/** The relations themselves, and who may do what with them. */
export const TABLES = sql`
SELECT 'table', m.name, jsonb_build_object('owner', pg_get_userbyid(m.relowner), 'relation', m.relkind,
  'enabled', m.relrowsecurity, 'forced', m.relforcerowsecurity,
  'parents', ${list(sql`SELECT format('%s.%s', n.nspname, c.relname) AS entry FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhparent JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE i.inhrelid = m.oid`)},
  'heirs', ${list(sql`SELECT format('%s.%s', n.nspname, c.relname) AS entry FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE i.inhparent = m.oid AND NOT c.relispartition`)},
  'partitioned', ${list(sql`SELECT format('%s by %s', p.partrelid::regclass, pg_get_partkeydef(p.partrelid)) AS entry
    FROM pg_partition_tree(m.oid) AS t JOIN pg_partitioned_table AS p ON p.partrelid = t.relid`)})
FROM managed AS m
UNION ALL
SELECT 'columns', m.name, jsonb_object_agg(c.attname, concat(format_type(c.atttypid, NULL), CASE WHEN c.attnotnull THEN ' NOT NULL' END,
  (SELECT format(' COLLATE %I', l.collname) FROM pg_collation AS l WHERE l.oid = c.attcollation AND NOT l.collisdeterministic)))
FROM managed AS m JOIN pg_attribute AS c ON c.attrelid = m.oid AND c.attnum > 0 AND NOT c.attisdropped
WHERE m.relkind IN ('r', 'p') GROUP BY m.name
UNION ALL
SELECT 'grants', m.name, jsonb_build_object('entries', ${list(sql`
    ${privileges(sql`m.relacl`, sql`m.relowner`)}
    UNION ALL
    SELECT concat(a.privilege_type, format(' (%s) ', c.attname), COALESCE(g.rolname, 'PUBLIC'),
      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END)
    FROM pg_attribute AS c, aclexplode(c.attacl) AS a LEFT JOIN pg_roles AS g ON g.oid = a.grantee
    WHERE c.attrelid = m.oid AND NOT c.attisdropped AND a.grantee <> m.relowner`)})
FROM managed AS m`

/** Whether a trigger fires: in a partitioned table it is a trigger of each partition, and may be disabled in one of them. */
const TRIGGER_STATE = sql`COALESCE((SELECT min(c.tgenabled::text) FROM pg_partition_tree(m.oid) AS p
  JOIN pg_trigger AS c ON c.tgrelid = p.relid AND c.tgname = t.tgname WHERE c.tgenabled <> t.tgenabled), t.tgenabled::text)`

/** What else is attached to a table and can change what a statement on it does. */
export const ATTACHED = sql`
SELECT 'rule', format('%s ON %s', r.rulename, m.name), jsonb_build_object('table', m.name, 'state', r.ev_enabled,
  'definition', pg_get_ruledef(r.oid))
FROM pg_rewrite AS r JOIN managed AS m ON m.oid = r.ev_class WHERE m.relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'trigger', format('%s ON %s', t.tgname, m.name), jsonb_build_object('table', m.name, 'state', ${TRIGGER_STATE},
  'definition', pg_get_triggerdef(t.oid))
FROM pg_trigger AS t JOIN managed AS m ON m.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'index', format('%s ON %s', c.relname, m.name), jsonb_build_object('table', m.name,
  'valid', i.indisvalid AND i.indisready AND i.indislive, 'unique', i.indisunique, 'definition', pg_get_indexdef(i.indexrelid))
FROM pg_index AS i JOIN managed AS m ON m.oid = i.indrelid JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE m.relkind IN ('r', 'p', 'm')
UNION ALL
SELECT 'constraint', format('%s ON %s', c.conname, m.name), jsonb_build_object('table', m.name,
  'validated', c.convalidated, 'definition', pg_get_constraintdef(c.oid))
FROM pg_constraint AS c JOIN managed AS m ON m.oid = c.conrelid WHERE c.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT 'event trigger', e.evtname, jsonb_build_object('event', e.evtevent, 'state', e.evtenabled,
  'owner', pg_get_userbyid(e.evtowner), 'function', e.evtfoid::regprocedure::text, 'tags', COALESCE(to_jsonb(e.evttags), '[]'))
FROM pg_event_trigger AS e`

/** Functions of the schema twinrule. */
export const FUNCTIONS = sql`
SELECT 'function', format('%s.%s(%s)', n.nspname, f.proname, oidvectortypes(f.proargtypes)), jsonb_build_object(
  'owner', pg_get_userbyid(f.proowner), 'language', l.lanname, 'form', f.prokind, 'definer', f.prosecdef,
  'volatility', f.provolatile, 'parallel', f.proparallel, 'strict', f.proisstrict, 'leakproof', f.proleakproof,
  'returns', pg_get_function_result(f.oid), 'arguments', pg_get_function_arguments(f.oid),
  'settings', COALESCE(to_jsonb(f.proconfig), '[]'), 'body', md5(COALESCE(pg_get_function_sqlbody(f.oid), f.prosrc)))
FROM pg_proc AS f JOIN pg_namespace AS n ON n.oid = f.pronamespace JOIN pg_language AS l ON l.oid = f.prolang
WHERE n.nspname = 'twinrule'
UNION ALL
SELECT 'grants', format('%s.%s(%s)', n.nspname, f.proname, oidvectortypes(f.proargtypes)),
  jsonb_build_object('entries', ${list(privileges(sql`COALESCE(f.proacl, acldefault('f', f.proowner))`, sql`f.proowner`))})
FROM pg_proc AS f JOIN pg_namespace AS n ON n.oid = f.pronamespace WHERE n.nspname = 'twinrule'`
