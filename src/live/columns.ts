import { catalogType } from '../backends/sql/checks.js'
import type { LiveColumn, LiveTable } from '../db/catalog/tables.js'
import type { Span } from '../errors/errors.js'
import { type Column, type ScalarType, typeName } from '../ir/types.js'
import type { Parser } from '../prove/read-back.js'
import { allowedBy } from './labels.js'
import { type Mismatch, mismatchAt } from './mismatch.js'

/** A declared column and where it is declared. */
export interface Declared {
  /** Who declares it, for messages: `note`, `document.shares`. */
  readonly owner: string
  readonly column: Column
  /** Where to point if the column has no place of its own. */
  readonly span: Span | undefined
}

/** How a declared column and the live one differ. */
export function columnMismatches(declared: Declared, table: LiveTable, parse: Parser): readonly Mismatch[] {
  const { column, owner, span } = declared
  const { error } = mismatchAt(column.span ?? span)
  const live = table.columns.find(({ name }) => name === column.name)
  if (live === undefined) {
    const names = table.columns.map(({ name }) => name).sort()
    return [
      error(
        'TWR_CATALOG_COLUMN',
        `${owner} declares the column ${column.name}, which public.${table.name} does not have`,
        `it has ${names.join(', ')}`
      )
    ]
  }
  return [
    ...typeMismatch(declared, live, table),
    ...nullMismatch(declared, live, table),
    ...labelMismatches(declared, live, table, parse),
    ...collationMismatch(declared, live, table)
  ]
}

function typeMismatch(
  { column, owner, span }: Declared,
  live: LiveColumn,
  table: LiveTable
): readonly Mismatch[] {
  const accepted = catalogType(column.type).split('|')
  if (accepted.includes(live.type)) return []
  const place = `public.${table.name}.${column.name}`
  const domain = live.domainOf === null ? '' : `, a domain over ${live.domainOf}`
  const enumType = live.labels === null ? '' : ', an enum type'
  const message = `${place} is ${live.type}${domain || enumType}; ${owner} declares ${typeName(column.type)}`
  const [wanted = ''] = accepted
  const to = `ALTER TABLE public.${table.name} ALTER COLUMN ${column.name} TYPE ${wanted} USING ${column.name}::${wanted}`
  const enumHint =
    live.labels === null
      ? ''
      : ', and keep its labels with a CHECK constraint: PostgreSQL cannot use an index on an enum under row-level security'
  const hint = `run ${to}${enumHint}; or correct the declaration`
  return [mismatchAt(column.span ?? span).error('TWR_CATALOG_TYPE', message, hint)]
}

function nullMismatch(
  { column, owner, span }: Declared,
  live: LiveColumn,
  table: LiveTable
): readonly Mismatch[] {
  const place = `public.${table.name}.${column.name}`
  const written = typeName(column.type)
  if (!column.nullable && !live.notNull) {
    const hint = `run ALTER TABLE public.${table.name} ALTER COLUMN ${column.name} SET NOT NULL; or declare ${written} without the mark`
    const message = `${place} may be null; ${owner} declares ${written}!`
    return [mismatchAt(column.span ?? span).error('TWR_CATALOG_NULL', message, hint)]
  }
  // what has no place of its own is not declared by anybody, but meant
  if (!column.nullable || !live.notNull || column.span === undefined) return []
  const message = `${place} is never null; ${owner} declares ${written}`
  return [mismatchAt(column.span).warning('TWR_CATALOG_NULL', message, `declare ${written}!`)]
}

function labelMismatches(
  { column, owner, span }: Declared,
  live: LiveColumn,
  table: LiveTable,
  parse: Parser
): readonly Mismatch[] {
  const type: ScalarType = column.type.kind === 'set' ? column.type.of : column.type
  if (type.kind !== 'enum') return []
  const { error, warning } = mismatchAt(column.span ?? span)
  const place = `public.${table.name}.${column.name}`
  const checks = table.checks.filter(one => one.column === column.name)
  const allowed =
    live.labels === null ? allowedBy(checks, parse) : { values: new Set(live.labels), validated: true }
  const made = constraint(table.name, column, type.labels)
  if (allowed.values === null) {
    const message = `nothing keeps ${place} to the labels of ${type.name}: PostgreSQL would take another text for one, and the application for none`
    return [error('TWR_CATALOG_ENUM', message, `run ${made}`)]
  }
  const { values } = allowed
  const unknown = [...values].filter(value => !type.labels.includes(value))
  const impossible = type.labels.filter(label => !values.has(label))
  return [
    ...(unknown.length === 0
      ? []
      : [
          error(
            'TWR_CATALOG_ENUM',
            `${place} may be ${quoted(unknown)}, which ${type.name} of ${owner} does not have`,
            `add it to the enum, or take it out of the ${live.labels === null ? 'CHECK constraint' : 'type'}`
          )
        ]),
    ...(impossible.length === 0
      ? []
      : [
          warning(
            'TWR_CATALOG_ENUM',
            `${place} can never be ${quoted(impossible)}, which ${type.name} of ${owner} has`,
            `add it to the ${live.labels === null ? 'CHECK constraint' : 'type'}, or take it out of the enum`
          )
        ]),
    ...(allowed.validated
      ? []
      : [
          warning(
            'TWR_CATALOG_ENUM',
            `older rows of ${place} need not keep to the labels of ${type.name}: the constraint is NOT VALID`,
            `run ALTER TABLE public.${table.name} VALIDATE CONSTRAINT ...`
          )
        ])
  ]
}

/** PostgreSQL's own words for what an enum means. */
function constraint(table: string, { name, type }: Column, labels: readonly string[]): string {
  const list = labels.map(label => `'${label.replaceAll("'", "''")}'`).join(', ')
  const test = type.kind === 'set' ? `${name} <@ ARRAY[${list}]` : `${name} IN (${list})`
  return `ALTER TABLE public.${table} ADD CHECK (${test})`
}

const quoted = (values: readonly string[]): string => values.map(value => JSON.stringify(value)).join(' or ')

function collationMismatch(
  { column, owner, span }: Declared,
  live: LiveColumn,
  table: LiveTable
): readonly Mismatch[] {
  if (live.looseCollation === null) return []
  const place = `public.${table.name}.${column.name}`
  return [
    mismatchAt(column.span ?? span).error(
      'TWR_CATALOG_COLLATION',
      `${place} has the collation ${live.looseCollation}, under which different texts are equal; the application of ${owner} compares them as they are`,
      `run ALTER TABLE public.${table.name} ALTER COLUMN ${column.name} TYPE ${live.type} COLLATE "C"; and keep the text in one spelling`
    )
  ]
}
