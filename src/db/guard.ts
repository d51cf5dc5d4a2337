import type { Pool } from 'pg'
import { OWNER_ROLES, ROLES } from '../backends/sql/names.js'
import { TENANCY_POLICIES } from '../backends/sql/tenancy.js'
import { DatabaseError } from '../errors/errors.js'
import type { Bundle } from '../ir/model.js'
import { expectRevision, INSTALLED_REVISION } from './facts.js'
import { databaseFault } from './fault.js'
import { oldServer, UPDATE_SERVER } from './server-version.js'

interface Login {
  readonly login: string
  readonly powers: readonly string[] | null
  readonly memberships: readonly string[] | null
  readonly owned: readonly string[] | null
  readonly missing: readonly string[] | null
  readonly migrated: boolean
  readonly version: number
}

/** What the guard lets pass, and how it tells. */
export interface GuardOptions {
  /** Go on although row-level security of the server has known holes. */
  readonly allowOldServer?: boolean
  /** Takes warnings. */
  readonly log?: (line: string) => void
}

/**
 * One look at the login: what it is, what it belongs to (pg_has_role counts NOINHERIT memberships too, because SET
 * ROLE reaches them), which managed tables it could change, and which of those are not protected.
 */
const LOOK = `
SELECT current_user::text AS login,
  (SELECT array_remove(ARRAY[CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
      CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolreplication THEN 'REPLICATION' END], NULL)
   FROM pg_catalog.pg_roles WHERE rolname = session_user) AS powers,
  (SELECT array_agg(r.rolname::text ORDER BY r.rolname) FROM pg_catalog.pg_roles AS r
   WHERE r.rolname <> session_user AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
     AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolname = ANY ($1)
       OR r.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files'))) AS memberships,
  (SELECT array_agg(c.relname::text ORDER BY c.relname) FROM pg_catalog.pg_class AS c
   WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($2)
     AND pg_catalog.pg_has_role(session_user, c.relowner, 'MEMBER')) AS owned,
  (SELECT array_agg(w.name ORDER BY w.name) FROM unnest($2::text[]) AS w (name)
   WHERE NOT EXISTS (
     SELECT FROM pg_catalog.pg_class AS c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = w.name AND c.relrowsecurity AND c.relforcerowsecurity
   )) AS missing,
  EXISTS (SELECT FROM pg_catalog.pg_proc AS f JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
    WHERE n.nspname = 'twinrule' AND f.proname = 'decision_facts') AS migrated,
  current_setting('server_version_num')::integer AS version`

const TENANCY = TENANCY_POLICIES.map(({ table }) => table)

/**
 * Makes sure that the service runs as a login which can neither bypass nor change the policies, on a database of the
 * compiled revision, on a server that keeps to them. What its policies are is for {@link guardPolicies}.
 *
 * @throws DatabaseError TWR_DB_UNSAFE_ROLE, TWR_DB_OLD_SERVER, TWR_DB_NOT_MIGRATED (all exit 78) or TWR_DB_UNREACHABLE
 */
export async function guardLogin(pool: Pool, bundle: Bundle, options: GuardOptions = {}): Promise<void> {
  const login = await lookAt(pool, bundle)
  refuseUnsafe(login, `set DATABASE_URL to the login ${ROLES.service}`)
  refuseOldServer(login, options)
  if (!login.migrated) expectRevision(null, bundle.revision)
  const { rows: installed } = await pool.query<{ revision: string | null }>(INSTALLED_REVISION).catch(refuse)
  expectRevision(installed[0]?.revision ?? null, bundle.revision)
  refuseAny('tables without forced row-level security', login.missing)
}

/** The tables that nobody may change, and on which no others may have policies. */
export function guardedTables({ resources }: Bundle): readonly string[] {
  return [...TENANCY, ...resources.flatMap(({ table }) => (table === null ? [] : [table]))]
}

/**
 * Makes sure that lists are read as a login which can neither bypass nor change the policies, of a database that
 * {@link guardLogin} has looked at.
 *
 * @throws DatabaseError TWR_DB_UNSAFE_ROLE (exit 78) or TWR_DB_UNREACHABLE
 */
export async function guardListLogin(pool: Pool, bundle: Bundle): Promise<void> {
  refuseUnsafe(await lookAt(pool, bundle), `set TWINRULE_LIST_DATABASE_URL to the login ${ROLES.app}`)
}

async function lookAt(pool: Pool, bundle: Bundle): Promise<Login> {
  const { rows } = await pool.query<Login>(LOOK, [OWNER_ROLES, guardedTables(bundle)]).catch(refuse)
  const [login] = rows
  if (login === undefined) throw new DatabaseError('TWR_DB_FAULT', 'the database did not describe the login')
  return login
}

/** @throws DatabaseError TWR_DB_NOT_MIGRATED when something was found */
export function refuseAny(what: string, found: readonly string[] | null): void {
  if (found === null) return
  throw new DatabaseError('TWR_DB_NOT_MIGRATED', `${what}: ${found.join(', ')}`, {
    hint: 'run `twinrule migrate --database URL` as a superuser'
  })
}

function refuseOldServer({ version }: Login, { allowOldServer, log }: GuardOptions): void {
  const problem = oldServer(version)
  if (problem === null) return
  if (allowOldServer !== true) throw new DatabaseError('TWR_DB_OLD_SERVER', problem, { hint: UPDATE_SERVER })
  log?.(`warning: ${problem}`)
}

function refuseUnsafe({ login, powers, memberships, owned }: Login, remedy: string): void {
  const reasons = [
    ...(powers ?? []).map(power => `it is ${power}`),
    ...(memberships ?? []).map(role => `it belongs to ${role}`),
    ...(owned ?? []).map(table => `it can act as the owner of ${table}`)
  ]
  if (reasons.length === 0) return
  throw new DatabaseError(
    'TWR_DB_UNSAFE_ROLE',
    `the login ${login} is not under the policies: ${reasons.join(', ')}`,
    {
      hint: `${remedy}, which \`twinrule migrate --database URL\` creates`
    }
  )
}

function refuse(cause: unknown): never {
  throw databaseFault(cause)
}
