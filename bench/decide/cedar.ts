import type { Values } from '../../src/ir/evaluate.js'
import type { Contender } from './contender.js'

/** As much of cedar-wasm 4 as is used. It is no dependency of twinrule, so its own types may not be there. */
interface Cedar {
  preparsePolicySet(name: string, policies: { readonly staticPolicies: string }): { readonly type: string }
  statefulIsAuthorized(call: Readonly<Record<string, unknown>>): {
    readonly type: string
    readonly response?: { readonly decision: 'allow' | 'deny' }
  }
}

/** One rule about all types, as one writes it in Cedar: `resource is kind_0` would only take longer. */
const POLICIES = `
permit (principal, action, resource) when { principal.is_platform_admin };
permit (principal, action in [Action::"read", Action::"delete"], resource)
  when { resource.tenant_id == principal.tenant_id };
permit (principal, action == Action::"create", resource) when {
  resource.tenant_id == principal.tenant_id && resource.sharing_mode != "global" && resource.resource_type != "platform" };
permit (principal, action == Action::"read", resource) when { resource.is_shared && resource.sharing_mode == "global" };
permit (principal, action == Action::"read", resource) when {
  resource.is_shared && resource.sharing_mode == "selective" && resource.shared_with.contains(principal.tenant_id) };
`

/** Cedar in WebAssembly, policies parsed beforehand. */
export const cedar: Contender = {
  name: 'Cedar (wasm)',
  about: 'policies parsed beforehand, entities with each request',
  oneIn: 100,
  maxKinds: 1_000,
  prepare: async () => {
    const name = '@cedar-policy/cedar-wasm/nodejs'
    const library = (await import(name)) as Cedar
    const parsed = library.preparsePolicySet('bench', { staticPolicies: POLICIES })
    if (parsed.type !== 'success') throw new Error(`Cedar refuses its policies: ${JSON.stringify(parsed)}`)
    return ({ principal, type, row, action }) => {
      const [subject, resource] = [entity('user', principal), entity(type, row)]
      const answer = library.statefulIsAuthorized({
        principal: subject.uid,
        action: { type: 'Action', id: action },
        resource: resource.uid,
        context: {},
        preparsedPolicySetId: 'bench',
        entities: [subject, resource]
      })
      if (answer.type !== 'success') throw new Error(`Cedar: ${JSON.stringify(answer)}`)
      return answer.response?.decision === 'allow'
    }
  }
}

/** Cedar has no null: what has none is left out. */
function entity(type: string, values: Values) {
  const attrs = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null))
  return { uid: { type, id: String(values['id']) }, attrs, parents: [] }
}
