import type { CustomTypesConfig } from 'pg'
import pg from 'pg'

/** date, timestamp with time zone, bigint and their arrays (catalog pg_type). */
const AS_TEXT: ReadonlySet<number> = new Set([20, 1082, 1184])
const ARRAYS_AS_TEXT: ReadonlySet<number> = new Set([1016, 1182, 1185])
/** uuid, text, boolean, bigint, integer and character varying arrays have parsers in pg; others come as text. */
const PARSE_ARRAY = (pg.types.getTypeParser as (oid: number) => (text: string) => unknown)(1009)

/**
 * Type parsers for `new pg.Client({ types: exactTypes })` or a pool: rows arrive as the engine wants them. By default
 * `pg` cuts timestamptz to milliseconds and moves date into the local time zone, because it makes a Date of both.
 *
 * Set for one statement, `pg` passes them on as the list of parameter types too, so they are an empty list: the embedded
 * database reads it.
 *
 * @see PostgreSQL manual, 8.1, 8.5; node-postgres, "Types"
 */
export const exactTypes: CustomTypesConfig = Object.assign([], {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (format !== 'binary' && AS_TEXT.has(oid)) return (text: string) => text
    if (format !== 'binary' && ARRAYS_AS_TEXT.has(oid)) return PARSE_ARRAY
    return pg.types.getTypeParser(oid, format as 'text')
  }) as CustomTypesConfig['getTypeParser']
})
