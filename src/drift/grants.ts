import { kindOf, listOf, nameOf, type Tree, textOf, treeOf } from '../prove/tree.js'
import { functionName, relationName, roleName, spelledType } from './names.js'

/** What ALL stands for on each kind of object. */
const ALL: Readonly<Record<string, readonly string[]>> = {
  OBJECT_TABLE: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'],
  OBJECT_SEQUENCE: ['USAGE', 'SELECT', 'UPDATE'],
  OBJECT_FUNCTION: ['EXECUTE'],
  OBJECT_SCHEMA: ['USAGE', 'CREATE'],
  OBJECT_DATABASE: ['CREATE', 'CONNECT', 'TEMPORARY']
}

const OF_COLUMNS = ['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']

/** What one role may do with one object after some statements. */
interface Held {
  /** Whether a statement took everything away first, so that nothing else can be left. */
  complete: boolean
  readonly granted: Set<string>
  readonly revoked: Set<string>
  /** Privileges that were granted on every column that the table had but these. */
  readonly byColumn: Map<string, readonly string[]>
}

/** What is known of an object beside the statements. */
export interface Surroundings {
  /** The entries that the object had after the last migration; those that it has where there is no record. */
  readonly recorded: readonly string[]
  /** Roles that hold nothing which no statement gave them. */
  readonly closed: (role: string) => boolean
  /** The owner has its rights by itself. */
  readonly owner: string | null
  /** Whether the object has a column. */
  readonly hasColumn: (name: string) => boolean
}

/** The privileges that GRANT and REVOKE statements leave, by object and role. */
export class GrantBook {
  readonly #held = new Map<string, Map<string, Held>>()

  /** Runs one statement. What it says of objects that are not named one by one is not known. */
  read(fields: Tree): void {
    if (fields['targtype'] !== 'ACL_TARGET_OBJECT') return
    const kind = String(fields['objtype'])
    const privileges = listOf(fields['privileges']).flatMap(one => privilegesOf(kindOf(one)[1]))
    const suffix = fields['grant_option'] === true && fields['is_grant'] === true ? ' WITH GRANT OPTION' : ''
    for (const object of listOf(fields['objects']).flatMap(one => objectName(kind, one))) {
      for (const role of listOf(fields['grantees']).flatMap(one => roleName(one) ?? [])) {
        const held = this.#of(object, role)
        if (fields['is_grant'] !== true) take(held, privileges, role)
        else {
          const given = privileges.length > 0 ? privileges : (ALL[kind] ?? [])
          for (const one of given) held.granted.add(`${one} ${role}${suffix}`)
        }
      }
    }
  }

  /** Runs `SELECT twinrule.grant_columns(table, role, privilege, columns to leave out)`, which grants by column. */
  readCall(fields: Tree): void {
    const [target] = listOf(fields['targetList'])
    const [kind, call] = target === undefined ? ['', {}] : kindOf(kindOf(target)[1]['val'])
    if (kind !== 'FuncCall' || nameOf(call['funcname']).join('.') !== 'twinrule.grant_columns') return
    const [table, role, privilege, without] = listOf(call['args'])
    const held = this.#of(`public.${constant(table)}`, constant(role))
    const columns = kindOf(kindOf(without)[1]['arg'])[1]['elements']
    held.byColumn.set(constant(privilege), listOf(columns).map(constant))
  }

  /** The entries that an object has to have. */
  entriesOf(object: string, { recorded, closed, owner, hasColumn }: Surroundings): readonly string[] {
    const roles = this.#held.get(object) ?? new Map<string, Held>()
    const kept = recorded.filter(entry => {
      const { privilege, column, role } = partsOf(entry)
      const held = roles.get(role)
      if (held === undefined) return !closed(role)
      const without = column === null ? undefined : held.byColumn.get(privilege)
      // a column that came later is granted by the next migration, one that is gone needs no grant
      if (column !== null && without !== undefined) return hasColumn(column) && !without.includes(column)
      return !held.complete && !held.revoked.has(entry)
    })
    const given = [...roles.values()].flatMap(({ granted }) => [...granted])
    return [...new Set([...kept, ...given])].filter(entry => partsOf(entry).role !== owner).sort()
  }

  /** The objects of which statements speak. */
  objects(): readonly string[] {
    return [...this.#held.keys()]
  }

  #of(object: string, role: string): Held {
    const roles = this.#held.get(object) ?? new Map<string, Held>()
    this.#held.set(object, roles)
    const held = roles.get(role) ?? {
      complete: false,
      granted: new Set(),
      revoked: new Set(),
      byColumn: new Map()
    }
    roles.set(role, held)
    return held
  }
}

function take(held: Held, privileges: readonly string[], role: string): void {
  if (privileges.length === 0) {
    held.complete = true
    held.granted.clear()
    held.byColumn.clear()
    return
  }
  for (const one of privileges) {
    held.revoked.add(`${one} ${role}`)
    for (const entry of held.granted) if (entry.startsWith(`${one} `)) held.granted.delete(entry)
  }
}

/** The privileges of one entry of a statement, with their column where they are about one. */
function privilegesOf({ priv_name: name, cols }: Tree): readonly string[] {
  const privilege = textOf(name)
    .toUpperCase()
    .replace(/^TEMP$/, 'TEMPORARY')
  const columns = nameOf(cols)
  if (columns.length === 0) return [privilege]
  const all = privilege === '' ? OF_COLUMNS : [privilege]
  return all.flatMap(one => columns.map(column => `${one} (${column})`))
}

function objectName(kind: string, node: unknown): readonly string[] {
  switch (kind) {
    case 'OBJECT_TABLE':
    case 'OBJECT_SEQUENCE':
      return [relationName(kindOf(node)[1])]
    case 'OBJECT_SCHEMA':
      return [`schema ${textOf(kindOf(node)[1]['sval'])}`]
    case 'OBJECT_DATABASE':
      return ['database']
    case 'OBJECT_FUNCTION': {
      const { objname, objargs } = kindOf(node)[1]
      return [
        functionName(
          objname,
          listOf(objargs).map(one => spelledType(kindOf(one)[1]))
        )
      ]
    }
    default:
      return []
  }
}

function constant(node: unknown): string {
  return textOf(treeOf(kindOf(node)[1]['sval'], 'a text')['sval'])
}

/** The parts of an entry such as `SELECT (id) twinrule_app`. */
function partsOf(entry: string): { privilege: string; column: string | null; role: string } {
  const [, privilege = '', column, role = ''] = /^([A-Z]+) (?:\((.*)\) )?(.*)$/s.exec(entry) ?? []
  return { privilege, column: column ?? null, role: role.replace(/ WITH GRANT OPTION$/, '') }
}
