import { ReadBackError } from './tree.js'

/** A parser of PL/pgSQL: one tree for each function that a text creates, in their order. */
export type BodyParser = (text: string) => readonly unknown[]

/** Loads PostgreSQL's own parser of PL/pgSQL. */
export async function loadBodyParser(): Promise<BodyParser> {
  const { loadModule, parsePlPgSQLSync } = await import('libpg-query')
  await loadModule()
  return text => {
    try {
      const parsed: unknown = parsePlPgSQLSync(text)
      const { plpgsql_funcs: functions } = parsed as { readonly plpgsql_funcs?: readonly unknown[] }
      return functions ?? []
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ReadBackError(`the generated PL/pgSQL is not PL/pgSQL: ${why}`, cause)
    }
  }
}
