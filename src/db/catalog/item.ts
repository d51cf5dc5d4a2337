/** What a snapshot says of one object. A list is a set: its order carries no meaning and it is sorted. */
export type Fact = string | boolean | null | readonly string[]

/** What snapshots are made of. */
export type CatalogKind =
  | 'policy'
  | 'table'
  /** The columns of a table, a fact each: its type and whether it may be null. */
  | 'columns'
  | 'rule'
  | 'trigger'
  | 'event trigger'
  | 'index'
  | 'constraint'
  | 'function'
  | 'schema'
  | 'database'
  | 'grants'
  | 'role'
  | 'membership'
  | 'settings'
  /** A relation that applications reach and that row-level security does not hold. */
  | 'open relation'
  /** A function outside of twinrule that applications may call and that runs outside of row-level security. */
  | 'open function'

/** One object of the catalog. Kind and name together are unique. Names are not quoted: they are for people. */
export interface CatalogItem {
  readonly kind: CatalogKind
  readonly name: string
  readonly facts: Readonly<Record<string, Fact>>
}

/** Everything in a catalog that decides who may see what. */
export interface Catalog {
  /** The form of the snapshot: two of different forms say nothing about each other. */
  readonly format: number
  /** The server's major version: another one may print the same expression in other words. */
  readonly server: number
  readonly items: readonly CatalogItem[]
}

/** The form of the snapshots that this version makes. */
export const CATALOG_FORMAT = 2
