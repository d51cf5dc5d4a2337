import type { ClientBase, Pool } from 'pg'
import { sql } from '../../backends/sql/fragment.js'
import { askSnapshot, SNAPSHOT_SHA256, snapshotSql } from './read.js'
import { RECORD_SHA256 } from './record.js'
import type { CatalogScope } from './scope.js'

/** What a complete check looks at, as hashes. Two databases of the same fingerprint have the same findings. */
export interface Fingerprint {
  /** The server's major version. */
  readonly server: number
  /** The revision that the database says it holds. */
  readonly installed: string | null
  /** SHA-256 of the catalog. */
  readonly catalog: string
  /** SHA-256 of what the last migration wrote down; null for nothing. */
  readonly record: string | null
}

/** By whom a database was found to be without drift. */
export interface Verifier {
  /** The revision of the policy. */
  readonly revision: string
  /** The version of twinrule. */
  readonly version: string
}

/** A row of `twinrule.verified`. */
interface VerifiedRow {
  readonly revision: string
  readonly version: string
  readonly server: number
  readonly catalog_sha256: string
  readonly record_sha256: string
}

/**
 * Whether superusers alone can write what is written down.
 *
 * safety: who may write it could otherwise hide by it how he came to be allowed to. Roles that lead to others count
 * whether or not they inherit.
 */
const GUARDED = sql`NOT EXISTS (
  SELECT FROM pg_roles AS r WHERE NOT r.rolsuper AND left(r.rolname, 3) <> 'pg_' AND (
    has_table_privilege(r.oid, 'twinrule.verified', 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
    OR has_any_column_privilege(r.oid, 'twinrule.verified', 'INSERT, UPDATE')
    OR EXISTS (SELECT FROM pg_roles AS s WHERE pg_has_role(r.oid, s.oid, 'MEMBER')
      AND (s.rolsuper OR s.rolname = 'pg_write_all_data'))))`

const ASKED = sql`server, ${SNAPSHOT_SHA256} AS catalog,
  (SELECT ${RECORD_SHA256} FROM twinrule.recorded_catalog() AS record) AS record,
  twinrule.installed_revision() AS installed,
  (SELECT to_jsonb(v) FROM twinrule.verified AS v) AS verified, ${GUARDED} AS guarded`

type Asked = Fingerprint & { readonly verified: VerifiedRow | null; readonly guarded: boolean }

/** What a database is, and whether a complete check has found no drift in just this. */
export interface Verification extends Fingerprint {
  readonly clean: boolean
}

/**
 * Reads the fingerprint of a database in one statement and compares it with what the last migration has verified.
 *
 * @throws whatever the server or the connection throws, above all when an earlier version has migrated the database
 */
export async function readVerification(
  database: ClientBase | Pool,
  scope: CatalogScope,
  by: Verifier
): Promise<Verification> {
  const { verified, guarded, ...print } = await askSnapshot<Asked>(database, snapshotSql(scope, ASKED))
  return { ...print, clean: guarded && verified !== null && isSame(print, verified, by) }
}

/** safety: every part has to be the same, and what is not there is the same as nothing */
function isSame(print: Fingerprint, verified: VerifiedRow, { revision, version }: Verifier): boolean {
  return (
    verified.version === version &&
    verified.revision === revision &&
    print.installed === revision &&
    verified.server === print.server &&
    verified.catalog_sha256 === print.catalog &&
    print.record !== null &&
    verified.record_sha256 === print.record
  )
}

/** Writes down that a complete check has found no drift in a database of this fingerprint. */
export async function writeVerified(database: ClientBase, print: Fingerprint, by: Verifier): Promise<void> {
  await database.query(
    `INSERT INTO twinrule.verified (revision, version, server, catalog_sha256, record_sha256)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (only_row) DO UPDATE SET revision = excluded.revision, version = excluded.version,
       server = excluded.server, catalog_sha256 = excluded.catalog_sha256, record_sha256 = excluded.record_sha256,
       verified_at = now()`,
    [by.revision, by.version, print.server, print.catalog, print.record]
  )
}

/** Writes down that there is drift, or that nobody knows. */
export async function forgetVerified(database: ClientBase): Promise<void> {
  await database.query('DELETE FROM twinrule.verified')
}
