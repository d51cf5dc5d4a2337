import type { BodyParser } from './plpgsql.js'
import type { Parser } from './read-back.js'
import { readBody, type Step } from './read-body.js'
import { type GuardNames, readGuardCondition } from './read-guard-condition.js'
import type { SqlExpression } from './sql-expression.js'
import { fieldsOf, kindOf, listOf, must, nameOf, only, refuse, type Tree, textOf, treeOf } from './tree.js'

/** A trigger as PostgreSQL would have it. */
export interface ReadTrigger {
  readonly name: string
  /** The function that it runs, with its schema. */
  readonly runs: string
  readonly timing: string
  readonly events: string
  readonly eachRow: boolean
  /** Null: it runs for every row. */
  readonly when: SqlExpression | null
}

/** A trigger function. */
export interface ReadFunction {
  readonly name: string
  readonly invoker: boolean
  readonly path: string
  readonly steps: readonly Step[]
}

/** What guards the columns of a table, after its statements were run. */
export interface ColumnGuard {
  readonly triggers: readonly ReadTrigger[]
  readonly functions: readonly ReadFunction[]
}

/** The parsers of SQL and of what stands in functions. */
export interface Parsers {
  readonly parse: Parser
  readonly parseBody: BodyParser
}

/**
 * Reads the statements that guard the columns of one table: functions in PL/pgSQL and the triggers that run them.
 *
 * @throws ReadBackError for every statement, clause, function or name that is not in the grammar
 */
export function readGuard(text: string, table: string, names: GuardNames, parsers: Parsers): ColumnGuard {
  const triggers: ReadTrigger[] = []
  const functions: ReadFunction[] = []
  // the parsers take no empty text for one
  if (text.trim() === '') return { triggers, functions }
  const bodies = parsers.parseBody(text)
  for (const statement of parsers.parse(text)) {
    const [kind, fields] = kindOf(statement)
    switch (kind) {
      case 'CreateFunctionStmt':
        functions.push(readFunction(fields, bodies[functions.length], names, parsers.parse))
        break
      case 'CreateTrigStmt':
        triggers.push(readTrigger(fields, table, names))
        break
      case 'AlterOwnerStmt':
        // whose it is does not matter: it runs with the rights of the caller
        must(fields, 'objectType', 'OBJECT_FUNCTION')
        break
      case 'GrantStmt':
        // a trigger runs its function for whoever may write the table
        must(fields, 'objtype', 'OBJECT_FUNCTION')
        break
      default:
        refuse(`the statement ${kind}`)
    }
  }
  if (bodies.length !== functions.length) refuse('a function that is no PL/pgSQL')
  return { triggers, functions }
}

/** The bits of a trigger's time and events (catalog/pg_trigger.h). */
const TIMINGS: Readonly<Record<string, string>> = { 0: 'AFTER', 2: 'BEFORE', 64: 'INSTEAD OF' }
const EVENTS: Readonly<Record<string, number>> = { INSERT: 4, DELETE: 8, UPDATE: 16, TRUNCATE: 32 }

function readTrigger(fields: Tree, table: string, names: GuardNames): ReadTrigger {
  only(
    fields,
    'CreateTrigStmt',
    'replace',
    'trigname',
    'relation',
    'funcname',
    'row',
    'timing',
    'events',
    'whenClause'
  )
  const known = ['schemaname', 'relname', 'inh', 'relpersistence']
  const target = only(treeOf(fields['relation'], 'a table'), 'RangeVar', ...known)
  if (target['schemaname'] !== 'public' || target['relname'] !== table) refuse('a trigger of another table')
  const bits = Number(fields['events'] ?? 0)
  const { whenClause: when } = fields
  return {
    name: textOf(fields['trigname']),
    runs: nameOf(fields['funcname']).join('.'),
    timing: TIMINGS[Number(fields['timing'] ?? 0)] ?? refuse(`a trigger at ${String(fields['timing'])}`),
    events: Object.keys(EVENTS)
      .filter(event => (bits & (EVENTS[event] ?? 0)) !== 0)
      .join(' OR '),
    eachRow: fields['row'] === true,
    when: when === undefined ? null : readGuardCondition(when, names)
  }
}

function readFunction(fields: Tree, body: unknown, names: GuardNames, parse: Parser): ReadFunction {
  only(fields, 'CreateFunctionStmt', 'replace', 'funcname', 'returnType', 'options')
  const type = only(treeOf(fields['returnType'], 'a type'), 'TypeName', 'names', 'typemod')
  if (nameOf(type['names']).join('.') !== 'trigger') refuse('a function that is of no trigger')
  const options = new Map(
    listOf(fields['options']).map(node => {
      const { defname, arg } = fieldsOf(node, 'DefElem', 'defname', 'arg', 'defaction')
      return [textOf(defname), arg] as const
    })
  )
  for (const name of options.keys()) {
    if (!['language', 'volatility', 'security', 'set', 'as'].includes(name)) refuse(`a function with ${name}`)
  }
  const option = (name: string) => kindOf(options.get(name) ?? refuse(`a function without ${name}`))[1]
  must(option('language'), 'sval', 'plpgsql')
  must(option('volatility'), 'sval', 'volatile')
  return {
    name: nameOf(fields['funcname']).join('.'),
    // SECURITY DEFINER is true, and false is left out
    invoker: option('security')['boolval'] !== true,
    path: readPath(option('set')),
    steps: readBody(body ?? refuse('a function without a body'), names, parse)
  }
}

function readPath(fields: Tree): string {
  only(fields, 'VariableSetStmt', 'kind', 'name', 'args')
  must(fields, 'kind', 'VAR_SET_VALUE')
  must(fields, 'name', 'search_path')
  return listOf(fields['args'])
    .map(node => textOf(treeOf(fieldsOf(node, 'A_Const', 'sval')['sval'], 'a name')['sval']))
    .join(', ')
}
