import { createMongoAbility, type MongoAbility } from '@casl/ability'
import type pg from 'pg'
import { type CaslRule, caslRules } from '../../src/backends/casl.js'
import { compilePredicate, type Predicate } from '../../src/backends/compiled.js'
import { guardFunctions, guardObjects } from '../../src/backends/sql/column-guards.js'
import { functionObject } from '../../src/backends/sql/function.js'
import { grantColumnsFunction } from '../../src/backends/sql/grants.js'
import { listerObjects } from '../../src/backends/sql/lister.js'
import { tableObjects } from '../../src/backends/sql/policies.js'
import { relatedObjects } from '../../src/backends/sql/related.js'
import { askGate, buildAbility, type StaticAbility } from '../../src/engine/ability.js'
import { columnJudge } from '../../src/engine/columns.js'
import type { Values } from '../../src/ir/evaluate.js'
import { changedColumns, columnBar, GATES, type Gate, gateForm, gateOpen } from '../../src/ir/gates.js'
import { type Bundle, type Resource, resourceOf } from '../../src/ir/model.js'
import { canonical, type Value } from '../../src/ir/values.js'
import type { Database } from '../support/cluster.js'
import { type Principal, type Row, TABLE } from './arbitraries.js'

/** Where a test may break a backend, to see that the comparison notices. */
export interface Mutation {
  sql(text: string): string
  casl(rules: readonly CaslRule[]): readonly CaslRule[]
}

/** The attempts that are put to both locks for one principal. */
export interface Attempts {
  readonly rows: readonly Row[]
  readonly inserts: readonly Row[]
  readonly updates: readonly { readonly old: Row; readonly next: Row }[]
  readonly parents: readonly Readonly<Record<string, unknown>>[]
  readonly links: readonly Readonly<Record<string, unknown>>[]
}

/** Which attempts a lock lets pass, in the order of the attempts. */
export interface Verdicts {
  readonly read: readonly boolean[]
  readonly delete: readonly boolean[]
  readonly create: readonly boolean[]
  readonly update: readonly boolean[]
}

/** What one way to decide says of one principal. */
export interface Ask {
  gate(gate: Gate, row: Row): boolean
  columns(old: Row, next: Row): boolean
}

function verdicts({ rows, inserts, updates }: Attempts, ask: Ask): Verdicts {
  return {
    read: rows.map(row => ask.gate('read', row)),
    delete: rows.map(row => ask.gate('delete', row)),
    create: inserts.map(row => ask.gate('create', row)),
    update: updates.map(
      ({ old, next }) => ask.gate('update', old) && ask.gate('update_new', next) && ask.columns(old, next)
    )
  }
}

type Columns = Resource['columns']

function canonicalColumns(
  columns: Columns,
  row: Readonly<Record<string, unknown>>
): Readonly<Record<string, Value>> {
  return Object.fromEntries(columns.map(({ name, type }) => [name, mustBe(canonical(type, row[name]))]))
}

/** A row with the rows that are related to it, as the facts of a decision bring them. */
function canonicalRow(resource: Resource, row: Row, { parents, links }: Attempts): Values {
  const tables: Readonly<Record<string, Attempts['links']>> = { parents, links }
  const values = canonicalColumns(resource.columns, row)
  const related = resource.relations.map(({ name, table, local, remote, columns }) => {
    const rows = (tables[table ?? ''] ?? []).map(one => canonicalColumns(columns, one))
    return [name, rows.filter(one => one[remote] !== null && one[remote] === values[local])] as const
  })
  return { ...values, ...Object.fromEntries(related) }
}

function mustBe(result: ReturnType<typeof canonical>): Value {
  if (!result.ok) throw new Error(result.problem)
  return result.value
}

/** The ways to ask the app side, by name: the definition, stock CASL, the compiled rules as code and as closures. */
export function appLocks(
  bundle: Bundle,
  mutation: Mutation
): (principal: Principal, attempts: Attempts, now: number) => Readonly<Record<string, Verdicts>> {
  const resource = resourceOf(bundle, 'thing') as Resource
  const ability: StaticAbility = buildAbility(bundle)
  const judge = columnJudge(resource)
  // the compiled rules are code here; closures stand in for them where a process may not make code
  const closures = new Map<Gate, Predicate>(
    GATES.map(gate => [gate, compilePredicate(gateForm(resource, gate))])
  )
  const rows = new Map<Row, Values>()
  return (given, attempts, now) => {
    const canonicalOf = (row: Row): Values => {
      const known = rows.get(row) ?? canonicalRow(resource, row, attempts)
      rows.set(row, known)
      return known
    }
    const principal = Object.fromEntries(
      bundle.principal.map(({ name, type }) => [
        name,
        mustBe(canonical(type, given[name as keyof Principal]))
      ])
    )
    const stock: MongoAbility = createMongoAbility(
      mutation.casl(caslRules(bundle, principal, now)) as Parameters<typeof createMongoAbility>[0],
      { detectSubjectType: () => resource.name }
    )
    const at = (row: Row) => ({ type: resource.name, principal, row: canonicalOf(row), now })
    const columns = (old: Row, next: Row): boolean =>
      judge(principal, canonicalOf(old), canonicalOf(next), now) === null
    return {
      reference: verdicts(attempts, {
        gate: (gate, row) => gateOpen(resource, gate, at(row)),
        columns: (old, next) => {
          const changed = changedColumns(resource, canonicalOf(old), canonicalOf(next))
          return columnBar(resource, changed, at(old)) === null
        }
      }),
      casl: verdicts(attempts, { gate: (gate, row) => stock.can(gate, canonicalOf(row)), columns }),
      closures: verdicts(attempts, {
        gate: (gate, row) => closures.get(gate)?.(principal, canonicalOf(row), now) ?? false,
        columns
      }),
      compiled: verdicts(attempts, { gate: (gate, row) => askGate(ability, gate, at(row)).open, columns })
    }
  }
}

/** The definition alone, and what it says of the rows that relations lead to. */
export function referenceLock(
  bundle: Bundle
): (given: Principal, attempts: Attempts, now: number) => Ask & { parent(id: string): boolean } {
  const resource = resourceOf(bundle, 'thing') as Resource
  const parent = resourceOf(bundle, 'parent') as Resource
  return (given, attempts, now) => {
    const principal = canonicalColumns(
      bundle.principal.map(one => ({ ...one, nullable: true })),
      given
    )
    const at = (row: Row) => ({ principal, row: canonicalRow(resource, row, attempts), now })
    return {
      gate: (gate, row) => gateOpen(resource, gate, at(row)),
      columns: (old, next) => {
        const changed = changedColumns(resource, at(old).row, at(next).row)
        return columnBar(resource, changed, at(old)) === null
      },
      parent: id => {
        const row = attempts.parents.find(one => one['id'] === id)
        return (
          row !== undefined &&
          gateOpen(parent, 'read', { principal, row: canonicalColumns(parent.columns, row), now })
        )
      }
    }
  }
}

const ATTEMPT = `CREATE FUNCTION public.attempt(kind text, pairs jsonb) RETURNS boolean[] LANGUAGE plpgsql AS $$
DECLARE pair jsonb; results boolean[] := '{}'; n int; ok boolean; changes text;
BEGIN
  FOR pair IN SELECT jsonb_array_elements(pairs) LOOP
    ok := false;
    BEGIN
      IF kind = 'create' THEN
        INSERT INTO public.things SELECT * FROM jsonb_populate_record(NULL::public.things, pair);
      ELSE
        -- an application names what it changes: to name a column that nobody may change is refused by its grant
        SELECT string_agg(format('%1$I = x.%1$I', k), ', ') INTO changes
        FROM jsonb_each(to_jsonb(jsonb_populate_record(NULL::public.things, pair -> 'next'))) AS next (k, v)
        WHERE v IS DISTINCT FROM to_jsonb(jsonb_populate_record(NULL::public.things, pair -> 'old')) -> k;
        changes := COALESCE(changes, (
          SELECT format('%1$I = x.%1$I', attname) FROM pg_attribute
          WHERE attrelid = 'public.things'::regclass AND has_column_privilege(attrelid, attnum, 'UPDATE') LIMIT 1
        ), 'b = x.b');
        EXECUTE format('UPDATE public.things o SET %s FROM jsonb_populate_record(NULL::public.things, $1) x WHERE o.id = x.id', changes)
          USING pair -> 'next';
      END IF;
      GET DIAGNOSTICS n = ROW_COUNT;
      ok := n = 1;
      RAISE EXCEPTION 'undo' USING ERRCODE = 'UNDO1';
    EXCEPTION WHEN SQLSTATE 'UNDO1' THEN NULL; WHEN insufficient_privilege THEN ok := false;
    END;
    results := results || ok;
  END LOOP;
  RETURN results;
END $$`

/** Accessors that read test settings, so that a principal may have any attribute null. */
const ACCESSORS: Readonly<Record<string, readonly [string, string]>> = {
  get_current_user_id: ['uuid', 'id'],
  context_user_id: ['uuid', 'id'],
  claimed_user_id: ['uuid', 'id'],
  context_tenant_id: ['uuid', 'tenant_id'],
  claimed_tenant_id: ['uuid', 'tenant_id'],
  context_tenant_type: ['text', 'tenant_type'],
  context_tenant_role: ['text', 'tenant_role'],
  context_roles: ['text[]', 'roles'],
  context_is_platform_admin: ['boolean', 'is_platform_admin'],
  entered_platform_admin: ['boolean', 'is_platform_admin']
}

const ROLES = [
  'twinrule_app',
  'authz_platform_admin',
  'twinrule_lister',
  'twinrule_context',
  'twinrule_facts'
] as const

/** A database with the table, the accessors and the two roles that the policies name. */
export async function prepare(admin: pg.Client): Promise<void> {
  for (const role of ROLES) {
    await admin.query(
      `DO $$ BEGIN CREATE ROLE ${role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`
    )
  }
  await admin.query(
    'ALTER ROLE twinrule_app LOGIN NOINHERIT; GRANT authz_platform_admin, twinrule_lister TO twinrule_app'
  )
  await admin.query(`CREATE SCHEMA twinrule; ${TABLE}; ${ATTEMPT}`)
  for (const [name, [type, setting]] of Object.entries(ACCESSORS)) {
    await admin.query(
      `CREATE FUNCTION twinrule.${name}() RETURNS ${type} STABLE LANGUAGE sql
       AS $$ SELECT (current_setting('test.principal')::jsonb ->> '${setting}')::${type} $$`
    )
  }
  await admin.query(
    `CREATE OR REPLACE FUNCTION twinrule.context_roles() RETURNS text[] STABLE LANGUAGE sql AS $$
     SELECT CASE WHEN jsonb_typeof(p -> 'roles') = 'array'
       THEN ARRAY(SELECT jsonb_array_elements_text(p -> 'roles')) END
     FROM (SELECT current_setting('test.principal')::jsonb AS p) s $$`
  )
  await admin.query(String(functionObject(grantColumnsFunction()).up))
  await admin.query(`GRANT USAGE ON SCHEMA twinrule TO ${ROLES.join(', ')}`)
}

/** PostgreSQL itself, asked over the connection of the app login. */
export async function databaseLock(
  bundle: Bundle,
  mutation: Mutation,
  admin: pg.Client,
  { rows, parents, links }: Attempts
): Promise<void> {
  await admin.query(
    `DO $$ DECLARE p record; BEGIN FOR p IN SELECT policyname, tablename FROM pg_policies WHERE tablename IN ('things', 'parents') LOOP
       EXECUTE format('DROP POLICY %I ON public.%I', p.policyname, p.tablename); END LOOP; END $$;
     DROP TRIGGER IF EXISTS "A_twinrule_things_columns" ON public.things;
     TRUNCATE public.things, public.parents, public.links`
  )
  const resource = resourceOf(bundle, 'thing') as Resource
  const parent = resourceOf(bundle, 'parent') as Resource
  const objects = [
    ...tableObjects(parent, bundle),
    ...listerObjects(parent),
    ...guardFunctions(resource, bundle).map(functionObject),
    ...tableObjects(resource, bundle),
    ...listerObjects(resource),
    ...guardObjects(resource),
    ...relatedObjects(bundle, ['twinrule_app', 'authz_platform_admin', 'twinrule_lister'])
  ]
  await admin.query(mutation.sql(objects.map(({ up }) => `${up}`).join('\n')))
  // a TRUNCATE grant or an owner's rights would not matter here: rows come in before anybody is asked
  for (const [table, content] of Object.entries({ things: rows, parents, links })) {
    await admin.query(
      `INSERT INTO public.${table} SELECT * FROM jsonb_populate_recordset(NULL::public.${table}, $1::jsonb)`,
      [JSON.stringify(content)]
    )
  }
}

/** What PostgreSQL lets the app login do as one principal. Everything is rolled back. */
export async function askDatabase(
  app: pg.Client,
  principal: Principal,
  attempts: Attempts
): Promise<Verdicts & { readonly now: number }> {
  const ids = async (statement: string): Promise<ReadonlySet<string>> => {
    await app.query('SAVEPOINT s')
    try {
      return new Set((await app.query<{ id: string }>(statement)).rows.map(({ id }) => id))
    } catch (error) {
      // 42501: the role was granted nothing, because no rule allows the command to anybody
      if ((error as { code?: string }).code !== '42501') throw error
      return new Set()
    } finally {
      await app.query('ROLLBACK TO s')
    }
  }
  const attempt = async (
    kind: 'create' | 'update',
    pairs: readonly object[]
  ): Promise<readonly boolean[]> => {
    const { rows } = await app.query<{ attempt: boolean[] }>('SELECT public.attempt($1, $2::jsonb)', [
      kind,
      JSON.stringify(pairs)
    ])
    return rows[0]?.attempt ?? []
  }
  return asPrincipal(app, principal, async now => {
    const readable = await ids('SELECT id FROM public.things')
    const deletable = await ids('DELETE FROM public.things RETURNING id')
    return {
      now,
      read: attempts.rows.map(({ id }) => readable.has(id)),
      delete: attempts.rows.map(({ id }) => deletable.has(id)),
      create: await attempt('create', attempts.inserts),
      update: await attempt('update', attempts.updates)
    }
  })
}

/** Does some work as one principal, in his role, and rolls it back. `now` is the time of the transaction. */
export async function asPrincipal<T>(
  app: pg.Client,
  principal: Principal,
  work: (now: number) => Promise<T>
): Promise<T> {
  await app.query('BEGIN')
  try {
    await app.query("SELECT set_config('test.principal', $1, true)", [JSON.stringify(principal)])
    if (principal.is_platform_admin === true) await app.query('SET LOCAL ROLE authz_platform_admin')
    const time = await app.query<{ now: string }>(
      'SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now'
    )
    return await work(Number(time.rows[0]?.now))
  } finally {
    await app.query('ROLLBACK')
  }
}

/** Both connections that a comparison needs. */
export async function connections(database: Database): Promise<{ admin: pg.Client; app: pg.Client }> {
  const admin = await database.client()
  await prepare(admin)
  return { admin, app: await database.client('twinrule_app') }
}
