import type { ScalarType, Type } from '../ir/types.js'
import { listOf, must, nameOf, only, refuse, treeOf } from './tree.js'

/** The target of a cast: a type that columns may have, or an array of it. */
export interface SqlType {
  readonly name: string
  readonly array: boolean
}

/** Reads the target of a cast. */
export function readType(node: unknown): SqlType {
  const fields = only(treeOf(node, 'a type'), 'TypeName', 'names', 'typemod', 'arrayBounds')
  must(fields, 'typemod', -1)
  const bounds = listOf(fields['arrayBounds'])
  if (bounds.length > 1) return refuse('an array of arrays')
  // the parser spells built-in types by their catalog names
  const name = nameOf(fields['names'])
    .join('.')
    .replace(/^pg_catalog\./, '')
  return { name: name === 'bool' ? 'boolean' : name === 'int8' ? 'bigint' : name, array: bounds.length === 1 }
}

/** PostgreSQL's name of a declared type; null for a set. Enums are text there. */
export function sqlName(type: Type): string | null {
  switch (type.kind) {
    case 'uuid':
      return 'uuid'
    case 'text':
    case 'enum':
      return 'text'
    case 'bool':
      return 'boolean'
    case 'int':
      return 'bigint'
    case 'date':
    case 'timestamptz':
      return type.kind
    case 'set':
      return null
  }
}

/** The type of a constant that is cast to this name. */
export function scalarCalled(name: string): ScalarType {
  switch (name) {
    case 'uuid':
    case 'text':
    case 'date':
    case 'timestamptz':
      return { kind: name }
    case 'boolean':
      return { kind: 'bool' }
    case 'bigint':
      return { kind: 'int' }
    default:
      return refuse(`the type ${name}`)
  }
}
