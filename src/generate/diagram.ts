import type { Relation } from '../ir/formula.js'
import type { Bundle, Column, Resource } from '../ir/model.js'
import type { Type } from '../ir/types.js'
import { note } from './matrix-text.js'

/** The resources, the tables beside them, and what leads from one to another, as a Mermaid diagram. */
export function diagram(bundle: Bundle): string {
  const { resources } = bundle
  const plain = resources
    .flatMap(({ relations }) => relations)
    .filter(relation => targetOf(bundle, relation) === undefined)
  const beside = new Map(plain.map(relation => [nameOf(bundle, relation), relation.columns]))
  const keysOf = ({ relations }: Resource) =>
    new Set(relations.map(({ local }) => local).filter(name => name !== 'id'))
  return [
    `%% ${note(bundle)}\n`,
    'erDiagram\n',
    ...resources.map(one => entity(one.name, one.columns, keysOf(one))),
    ...[...beside].map(([name, columns]) => entity(name, columns, new Set())),
    ...resources.flatMap(one => one.relations.map(relation => edge(bundle, one, relation)))
  ].join('')
}

function targetOf({ resources }: Bundle, { table, readable }: Relation): Resource | undefined {
  return readable === null ? undefined : resources.find(one => one.table === table)
}

/** The entity to which a relation leads; a list that callers pass has the name of the relation. */
function nameOf(bundle: Bundle, relation: Relation): string {
  return targetOf(bundle, relation)?.name ?? relation.table ?? relation.name
}

function entity(name: string, columns: readonly Column[], keys: ReadonlySet<string>): string {
  const lines = columns.map(column => {
    const key = column.name === 'id' ? ' PK' : keys.has(column.name) ? ' FK' : ''
    return `    ${typeWord(column.type)} ${column.name}${key}${column.nullable ? ' "may be null"' : ''}\n`
  })
  return `  "${name}" {\n${lines.join('')}  }\n`
}

function edge(bundle: Bundle, from: Resource, relation: Relation): string {
  const ends = relation.cardinality === 'one' ? '}o--o|' : '|o--o{'
  return `  "${from.name}" ${ends} "${nameOf(bundle, relation)}" : "${relation.name}"\n`
}

function typeWord(type: Type): string {
  if (type.kind === 'set') return `${typeWord(type.of)}[]`
  return type.kind === 'enum' ? type.name : type.kind
}
