import type { Contender } from './contender.js'

/** As much of casbin 5 as is used. It is no dependency of twinrule, so its own types may not be there. */
interface Casbin {
  newModelFromString(text: string): unknown
  newEnforcer(model: unknown): Promise<Enforcer>
}
interface Enforcer {
  addFunction(name: string, call: (set: readonly unknown[], one: unknown) => boolean): Promise<void>
  addPolicies(rules: readonly (readonly string[])[]): Promise<boolean>
  enforceSync(...request: readonly unknown[]): boolean
}

const MODEL = `[request_definition]
r = sub, type, obj, act
[policy_definition]
p = type, act, rule
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.type == p.type && r.act == p.act && eval(p.rule)
`

const MINE = 'r.obj.tenant_id == r.sub.tenant_id'
const RULES: readonly (readonly [action: string, rule: string])[] = [
  ...['read', 'create', 'delete'].map(action => [action, 'r.sub.is_platform_admin'] as const),
  ['read', MINE],
  ['delete', MINE],
  ['create', `${MINE} && r.obj.sharing_mode != 'global' && r.obj.resource_type != 'platform'`],
  ['read', "r.obj.is_shared && r.obj.sharing_mode == 'global'"],
  [
    'read',
    "r.obj.is_shared && r.obj.sharing_mode == 'selective' && holds(r.obj.shared_with, r.sub.tenant_id)"
  ]
]

/** casbin, with attribute rules. */
export const casbin: Contender = {
  name: 'casbin',
  about: 'attribute rules by eval(), enforceSync',
  oneIn: 20,
  maxKinds: 100,
  prepare: async ({ bundle }) => {
    const name = 'casbin'
    const library = (await import(name)) as Casbin
    const enforcer = await library.newEnforcer(library.newModelFromString(MODEL))
    await enforcer.addFunction('holds', (set, one) => set.includes(one))
    await enforcer.addPolicies(
      bundle.resources.flatMap(({ name }) => RULES.map(([action, rule]) => [name, action, rule]))
    )
    return ({ principal, type, row, action }) => enforcer.enforceSync(principal, type, row, action)
  }
}
