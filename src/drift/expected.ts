import { createHash } from 'node:crypto'
import { accessObjects } from '../backends/sql/access.js'
import type { CatalogKind, Fact } from '../db/catalog/item.js'
import type { Bundle } from '../ir/model.js'
import type { Parser } from '../prove/read-back.js'
import { kindOf, listOf, nameOf, type Tree, textOf, treeOf } from '../prove/tree.js'
import { GrantBook } from './grants.js'
import { functionName, relationName, roleName, spelledType } from './names.js'

/** What the compiled statements make of one object, as far as they say it. */
export interface ExpectedItem {
  readonly kind: CatalogKind
  readonly name: string
  readonly facts: Record<string, Fact>
  /** Expressions and definitions, as trees. */
  readonly trees: Record<string, unknown>
}

/** What the catalog holds after the compiled statements. */
export interface Expected {
  readonly items: readonly ExpectedItem[]
  readonly grants: GrantBook
  /** The types that functions return, by qualified name. */
  readonly returns: ReadonlyMap<string, string>
}

interface Building {
  readonly items: Map<string, ExpectedItem>
  readonly grants: GrantBook
  readonly returns: Map<string, string>
}

/** Reads the compiled statements of a policy as PostgreSQL would, from their text: nothing here knows who wrote it. */
export function expectedOf(bundle: Bundle, parse: Parser): Expected {
  const building: Building = { items: new Map(), grants: new GrantBook(), returns: new Map() }
  for (const { up } of accessObjects(bundle)) {
    for (const statement of parse(String(up))) read(building, ...kindOf(statement))
  }
  const { items, grants, returns } = building
  return { items: [...items.values()], grants, returns }
}

/** Statements of other kinds, above all DO blocks, say nothing that can be read off them. */
function read(to: Building, kind: string, fields: Tree): void {
  switch (kind) {
    case 'CreateStmt':
      itemOf(to, 'table', relationName(fields['relation']))
      break
    case 'AlterTableStmt':
      readAlterTable(to, fields)
      break
    case 'CreatePolicyStmt':
      readPolicy(to, fields)
      break
    case 'CreateFunctionStmt':
      readFunction(to, fields)
      break
    case 'CreateTrigStmt':
      readTrigger(to, fields)
      break
    case 'CreateEventTrigStmt':
      readEventTrigger(to, fields)
      break
    case 'AlterOwnerStmt':
      readOwner(to, fields)
      break
    case 'GrantStmt':
      to.grants.read(fields)
      break
    case 'SelectStmt':
      to.grants.readCall(fields)
      break
  }
}

function itemOf({ items }: Building, kind: CatalogKind, name: string): ExpectedItem {
  const key = `${kind} ${name}`
  const known = items.get(key) ?? { kind, name, facts: {}, trees: {} }
  items.set(key, known)
  return known
}

function readAlterTable(to: Building, { relation, cmds }: Tree): void {
  for (const command of listOf(cmds)) {
    const subtype = String(kindOf(command)[1]['subtype'])
    const [, how, what] = /^AT_(Enable|Disable|Force|NoForce)(RowSecurity)$/.exec(subtype) ?? []
    if (what === undefined) continue
    const { facts } = itemOf(to, 'table', relationName(relation))
    facts[how === 'Force' || how === 'NoForce' ? 'forced' : 'enabled'] = how === 'Force' || how === 'Enable'
  }
}

function readPolicy(to: Building, fields: Tree): void {
  const table = relationName(fields['table'])
  const { facts, trees } = itemOf(to, 'policy', `${textOf(fields['policy_name'])} ON ${table}`)
  Object.assign(facts, {
    table,
    permissive: fields['permissive'] === true,
    command: textOf(fields['cmd_name']),
    roles: listOf(fields['roles'])
      .flatMap(one => roleName(one) ?? [])
      .sort()
  })
  trees['using'] = fields['qual'] ?? null
  trees['check'] = fields['with_check'] ?? null
}

function readTrigger(to: Building, { replace, ...definition }: Tree): void {
  const table = relationName(definition['relation'])
  const { facts, trees } = itemOf(to, 'trigger', `${textOf(definition['trigname'])} ON ${table}`)
  Object.assign(facts, { table, state: 'O' })
  trees['definition'] = { CreateTrigStmt: definition }
}

function readEventTrigger(to: Building, { trigname, eventname, funcname }: Tree): void {
  const { facts } = itemOf(to, 'event trigger', textOf(trigname))
  const tags: readonly string[] = []
  Object.assign(facts, {
    event: textOf(eventname),
    state: 'O',
    function: `${nameOf(funcname).join('.')}()`,
    tags
  })
}

function readFunction(to: Building, { funcname, parameters, options, returnType }: Tree): void {
  const inputs = listOf(parameters).flatMap(one => {
    const [, { mode, argType }] = kindOf(one)
    return mode === 'FUNC_PARAM_TABLE' || mode === 'FUNC_PARAM_OUT' ? [] : [spelledType(argType)]
  })
  const { facts } = itemOf(to, 'function', functionName(funcname, inputs))
  Object.assign(facts, FUNCTION_DEFAULTS)
  if (returnType !== undefined) to.returns.set(nameOf(funcname).join('.'), spelledType(returnType))
  for (const option of listOf(options)) {
    const [, { defname, arg }] = kindOf(option)
    Object.assign(facts, functionFact(String(defname), arg, facts['settings']))
  }
}

function readOwner(to: Building, { objectType, object, newowner }: Tree): void {
  const role = roleName({ RoleSpec: newowner })
  if (objectType !== 'OBJECT_FUNCTION' || role === null) return
  const { objname, objargs } = kindOf(object)[1]
  const types = listOf(objargs).map(one => spelledType(kindOf(one)[1]))
  itemOf(to, 'function', functionName(objname, types)).facts['owner'] = role
}

/** What a function is unless its statement says otherwise (manual, CREATE FUNCTION). */
const FUNCTION_DEFAULTS = {
  form: 'f',
  definer: false,
  volatility: 'v',
  parallel: 'u',
  strict: false,
  leakproof: false,
  settings: []
} as const

function functionFact(option: string, arg: unknown, settings: Fact | undefined): Record<string, Fact> {
  const [, value] = kindOf(arg)
  switch (option) {
    case 'language':
      return { language: textOf(value['sval']) }
    case 'volatility':
    case 'parallel':
      return { [option]: textOf(value['sval']).slice(0, 1) }
    case 'security':
      return { definer: value['boolval'] === true }
    case 'strict':
    case 'leakproof':
      return { [option]: value['boolval'] === true }
    case 'as':
      return { body: md5(textOf(treeOf(kindOf(listOf(value['items'])[0])[1], 'a body')['sval'])) }
    case 'set': {
      const words = listOf(value['args']).map(one => textOf(treeOf(kindOf(one)[1]['sval'], 'a word')['sval']))
      return {
        settings: [...((settings ?? []) as readonly string[]), `${value['name']}=${words.join(', ')}`]
      }
    }
    default:
      return {}
  }
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
