import { dollar, type Fragment, id, join, sql } from './fragment.js'
import { SCHEMA } from './names.js'
import type { SqlObject } from './object.js'

/** A parameter of a generated function. */
export interface Parameter {
  readonly name: string
  readonly type: Fragment
  readonly fallback?: Fragment
}

/** A function of the twinrule schema. */
export interface FunctionSpec {
  readonly name: string
  readonly parameters: readonly Parameter[]
  readonly returns: Fragment
  readonly volatility: 'STABLE' | 'VOLATILE'
  /**
   * `RESTRICTED`: asked by the leader of a parallel query alone, because it looks at its own backend. Without it a
   * STABLE function is PARALLEL SAFE.
   */
  readonly parallel?: 'RESTRICTED'
  /**
   * `sql`: the body is one expression, bound to what its names mean now, which the planner puts in place of the call
   * (manual, CREATE FUNCTION, sql_body). plpgsql unless given.
   */
  readonly language?: 'sql'
  readonly security: 'DEFINER' | 'INVOKER'
  readonly owner: string
  readonly body: Fragment
  /** The roles that may call it, beside its owner. */
  readonly callers: readonly string[]
  readonly derived?: boolean
}

/** The function with its owner and its callers, as one generated object. Nobody else may call it. */
export function functionObject(spec: FunctionSpec): SqlObject {
  const signature = signatureOf(spec)
  const grants = spec.callers.map(id)
  return {
    kind: 'function',
    name: String(signature),
    table: null,
    ...(spec.derived === undefined ? {} : { derived: spec.derived }),
    up: join(
      [
        createSql(spec),
        sql`ALTER FUNCTION ${signature} OWNER TO ${id(spec.owner)};`,
        // safety: PostgreSQL lets everyone call a new function
        sql`REVOKE ALL ON FUNCTION ${signature} FROM PUBLIC;`,
        ...(grants.length > 0 ? [sql`GRANT EXECUTE ON FUNCTION ${signature} TO ${join(grants, ', ')};`] : [])
      ],
      '\n'
    ),
    down: sql`DROP FUNCTION IF EXISTS ${signature};`
  }
}

/** The catalog's spelling of the function: name and parameter types. */
export function catalogName(spec: FunctionSpec): string {
  return `${spec.name}(${spec.parameters.map(({ type }) => type).join(', ')})`
}

function signatureOf(spec: FunctionSpec): Fragment {
  const types = spec.parameters.map(({ type }) => type)
  return sql`${id(SCHEMA)}.${id(spec.name)}(${join(types, ', ')})`
}

function createSql(spec: FunctionSpec): Fragment {
  const parameters = spec.parameters.map(({ name, type, fallback }) =>
    fallback === undefined ? sql`${id(name)} ${type}` : sql`${id(name)} ${type} DEFAULT ${fallback}`
  )
  // safety: never IMMUTABLE, a cached plan would keep the tenant of an earlier transaction
  const parallel = spec.parallel === 'RESTRICTED' ? sql`PARALLEL RESTRICTED` : sql`PARALLEL SAFE`
  const volatility = spec.volatility === 'STABLE' ? sql`STABLE ${parallel}` : sql`VOLATILE`
  const security = spec.security === 'DEFINER' ? sql`SECURITY DEFINER` : sql`SECURITY INVOKER`
  const head = sql`CREATE OR REPLACE FUNCTION ${id(SCHEMA)}.${id(spec.name)}(${join(parameters, ', ')})
  RETURNS ${spec.returns}`
  if (spec.language === 'sql') {
    return sql`${head}
  LANGUAGE sql ${volatility} ${security}
RETURN ${spec.body};`
  }
  // safety: a caller's search_path or temporary tables must not change what the body means
  const path = sql`SET search_path = pg_catalog, pg_temp`
  return sql`${head}
  LANGUAGE plpgsql ${volatility} ${security} ${path}
AS ${dollar(spec.body)};`
}
