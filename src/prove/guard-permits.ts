import type { ColumnGuard, ReadFunction } from './read-guard.js'
import { roleOf } from './read-guard-condition.js'
import { replaced, type SqlExpression } from './sql-expression.js'

const TRUE: SqlExpression = { kind: 'const', value: true }

/**
 * When the triggers of a table let a change of columns be: each of them does unless its WHEN is true and its function
 * comes to a RAISE. An IF, like a WHEN, counts its condition only if it is true (manual, 41.6.4.1 and CREATE TRIGGER).
 */
export function permits({ triggers, functions }: ColumnGuard): SqlExpression {
  const each = triggers.map(({ when, runs }): SqlExpression => {
    const steps = functions.find(({ name }) => name === runs)?.steps ?? []
    return { kind: 'not true', of: { kind: 'and', of: [when ?? TRUE, raised(steps)] } }
  })
  return { kind: 'and', of: each }
}

/** Some step raises, and no earlier one returned. */
function raised(steps: ReadFunction['steps']): SqlExpression {
  const ways: SqlExpression[] = []
  const returned: SqlExpression[] = []
  for (const { if: condition, does } of steps) {
    if (does === 'return') returned.push({ kind: 'not true', of: condition })
    else ways.push({ kind: 'and', of: [...returned, condition] })
  }
  return { kind: 'or', of: ways }
}

/** A guard's expression as it is in one role, for statements that run as that role itself. */
export function inRole(expression: SqlExpression, role: string): SqlExpression {
  return replaced(expression, one => {
    const asked = roleOf(one)
    return asked === null ? one : { kind: 'const', value: asked.role === role }
  })
}

/** Whatever about the guard of a table's columns is not in the one shape that the proof is about, each a sentence. */
export function misshapenGuard({ triggers, functions }: ColumnGuard): readonly string[] {
  return [
    ...triggers.flatMap(({ name, timing, events, eachRow, runs }) => [
      // safety: a BEFORE trigger does not see what later ones change, and its NULL would drop the row
      ...(timing === 'AFTER' ? [] : [`the trigger ${name} runs ${timing} the event`]),
      ...(events === 'UPDATE' ? [] : [`the trigger ${name} runs at ${events || 'no event'}`]),
      // safety: a refusal that comes after the foreign keys tells by its code what the other table holds
      ...(name < 'RI_' ? [] : [`the trigger ${name} runs after foreign keys are checked`]),
      ...(eachRow ? [] : [`the trigger ${name} runs once a statement`]),
      ...(functions.some(one => one.name === runs)
        ? []
        : [`the trigger ${name} runs ${runs}, which is not there`])
    ]),
    ...functions.flatMap(({ name, invoker, path }) => [
      // safety: the owner's rights are not those of the one who asks, nor is row-level security active for the owner
      ...(invoker ? [] : [`the function ${name} runs with the rights of its owner`]),
      ...(path === 'pg_catalog, pg_temp' ? [] : [`the function ${name} looks for names in ${path}`])
    ])
  ]
}
