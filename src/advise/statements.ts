import type { ClientBase } from 'pg'
import { ConfigError } from '../errors/errors.js'

/** A statement that is looked at. */
export interface Statement {
  readonly text: string
  /** Whether values are missing in it, `$1`. */
  readonly isOpen: boolean
  /** Whether it may be run, and not only be explained. */
  readonly mayRun: boolean
}

interface Parsed {
  readonly stmts?: readonly {
    readonly stmt?: Readonly<Record<string, unknown>>
    readonly stmt_location?: number
    readonly stmt_len?: number
  }[]
}

/**
 * The SELECT statements of a file, and how many others were left out.
 *
 * @throws ConfigError TWR_CONFIG when PostgreSQL's parser does not read it
 */
export async function readStatements(
  sql: string
): Promise<{ readonly statements: readonly Statement[]; readonly others: number }> {
  const { loadModule, parseSync } = await import('libpg-query')
  await loadModule()
  let parsed: Parsed
  try {
    parsed = parseSync(sql) as Parsed
  } catch (cause) {
    throw new ConfigError('TWR_CONFIG', `the statements cannot be read: ${(cause as Error).message}`, {
      cause
    })
  }
  // places are counted in bytes
  const bytes = Buffer.from(sql)
  const all = (parsed.stmts ?? []).map(({ stmt = {}, stmt_location: start = 0, stmt_len: length }) => {
    const end = length === undefined || length === 0 ? undefined : start + length
    const text = bytes.subarray(start, end).toString().trim()
    return { text, isSelect: 'SelectStmt' in stmt, isOpen: JSON.stringify(stmt).includes('"ParamRef"') }
  })
  const statements = all.filter(({ isSelect }) => isSelect)
  return {
    statements: statements.map(({ text, isOpen }) => ({ text, isOpen, mayRun: !isOpen })),
    others: all.length - statements.length
  }
}

/**
 * The statements of applications on which the server has spent most time, from pg_stat_statements.
 *
 * @throws ConfigError TWR_CONFIG when the extension is not there
 */
export async function busiestStatements(client: ClientBase, role: string, limit: number) {
  const { rows } = await client.query<{ schema: string }>(
    `SELECT quote_ident(n.nspname) AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'pg_stat_statements'`
  )
  const schema = rows[0]?.schema
  if (schema === undefined) {
    throw new ConfigError(
      'TWR_CONFIG',
      'no statements: no file is given, and pg_stat_statements is not installed',
      {
        hint: 'give a file with SELECT statements, or CREATE EXTENSION pg_stat_statements'
      }
    )
  }
  const found = await client.query<{ query: string }>(
    `SELECT query FROM ${schema}.pg_stat_statements s
     WHERE s.userid = $1::regrole AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND query !~* 'set_tenant_context|pg_catalog|pg_stat'
     ORDER BY total_exec_time DESC LIMIT $2`,
    [role, limit]
  )
  const read = await Promise.all(found.rows.map(({ query }) => readStatements(query).catch(() => null)))
  // safety: anybody with the application's login chose these, and the session behind its role is a superuser's
  return read.flatMap(one => (one?.statements ?? []).map(statement => ({ ...statement, mayRun: false })))
}
