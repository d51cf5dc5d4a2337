import type { Atom, Term } from '../../ir/formula.js'
import type { CommandGate } from '../../ir/gates.js'
import type { Bundle } from '../../ir/model.js'
import type { Nnf } from '../../ir/normal-form.js'
import { type Fragment, id, sql } from './fragment.js'
import { digestName } from './names.js'
import { roleViews, viewForm } from './policies.js'

/** An index without which a rule has to look at every row. Any index that begins with the column will do. */
export interface WantedIndex {
  readonly name: string
  readonly table: string
  readonly column: string
  readonly method: 'btree' | 'gin'
}

const INDEX_NAME = { prefix: 'twinrule_', suffix: '_idx' } as const

/** Whether an index is one that twinrule made. */
export function isOwnIndex(name: string): boolean {
  return name.startsWith(INDEX_NAME.prefix) && name.endsWith(INDEX_NAME.suffix)
}

/** Which gates are asked of rows that have to be found. A new row is at hand, and only what it relates to is looked up. */
const GATES: readonly { readonly gate: CommandGate; readonly stored: boolean }[] = [
  { gate: 'read', stored: true },
  { gate: 'update', stored: true },
  { gate: 'delete', stored: true },
  { gate: 'create', stored: false },
  { gate: 'update_new', stored: false }
]

/**
 * The indexes that the rules of a policy need, by table and column: on columns that are compared with the principal, on
 * sets in which the principal is looked for, and on the side of a relation that leads back.
 */
export function indexesOf(bundle: Bundle): readonly WantedIndex[] {
  const found = bundle.resources.flatMap(resource => {
    const { table } = resource
    if (table === null) return []
    return roleViews(bundle).flatMap(view =>
      GATES.flatMap(({ gate, stored }) => indexesFor(viewForm(resource, gate, view), table, stored))
    )
  })
  const byName = new Map(found.map(one => [one.name, one]))
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function indexesFor(form: Nnf, table: string, stored: boolean): readonly WantedIndex[] {
  switch (form.kind) {
    case 'const':
      return []
    case 'and':
    case 'or':
      return form.of.flatMap(part => indexesFor(part, table, stored))
    case 'exists':
    case 'every':
      return form.relation.table === null ? [] : [wanted(form.relation.table, form.relation.remote, 'btree')]
    case 'literal':
      return form.negated || !stored ? [] : indexesForAtom(form.atom, table)
  }
}

function indexesForAtom(atom: Atom, table: string): readonly WantedIndex[] {
  if (atom.kind === 'eq') {
    const pair = [atom.left, atom.right]
    const column = pair.find(isColumn)
    const useful = column !== undefined && column.type.kind !== 'bool' && pair.some(isPrincipal)
    return useful ? [wanted(table, column.name, 'btree')] : []
  }
  if (atom.kind !== 'in') return []
  if (isColumn(atom.set) && isPrincipal(atom.item)) return [wanted(table, atom.set.name, 'gin')]
  return isColumn(atom.item) && isPrincipal(atom.set) ? [wanted(table, atom.item.name, 'btree')] : []
}

const isColumn = (term: Term): term is Term & { kind: 'column' } => term.kind === 'column'
const isPrincipal = (term: Term): boolean => term.kind === 'principal'

function wanted(table: string, column: string, method: WantedIndex['method']): WantedIndex {
  return { name: indexName(table, column), table, column, method }
}

/** Names that two underscores part without a doubt. */
const PLAIN = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/

/** A name of at most 63 bytes that two columns never share. */
function indexName(table: string, column: string): string {
  const { prefix, suffix } = INDEX_NAME
  const plain = `${prefix}${table}__${column}${suffix}`
  if (plain.length <= 63 && PLAIN.test(table) && PLAIN.test(column)) return plain
  return digestName(prefix, [table, column], suffix)
}

/** The statement that makes an index. Concurrently it locks nobody out, and cannot be in a transaction. */
export function createIndex({ name, table, column, method }: WantedIndex, concurrently: boolean): Fragment {
  const using = method === 'gin' ? sql`gin` : sql`btree`
  return sql`CREATE INDEX ${concurrentlySql(concurrently)}${id(name)} ON public.${id(table)} USING ${using} (${id(column)});`
}

/** The statement that drops an index of ours. */
export function dropIndex(name: string, concurrently: boolean): Fragment {
  return sql`DROP INDEX ${concurrentlySql(concurrently)}IF EXISTS public.${id(name)};`
}

function concurrentlySql(concurrently: boolean): Fragment {
  return concurrently ? sql`CONCURRENTLY ` : sql``
}
