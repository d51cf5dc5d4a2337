import { createMongoAbility } from '@casl/ability'
import { caslRules } from '../../src/backends/casl.js'
import { fastPredicate } from '../../src/backends/codegen.js'
import { compilePredicate, type Predicate } from '../../src/backends/compiled.js'
import { buildAbility } from '../../src/engine/ability.js'
import { createEngine } from '../../src/engine/engine.js'
import { gateForm } from '../../src/ir/gates.js'
import type { Nnf } from '../../src/ir/normal-form.js'
import type { Contender, Decide } from './contender.js'
import type { Action, Ask, Workload } from './workload.js'

/** Rules compiled once a policy, found by resource type and action. */
function compiled(make: (form: Nnf) => Predicate): (workload: Workload) => Decide {
  return ({ bundle }) => {
    const kinds = new Map(
      bundle.resources.map(resource => {
        const of = (action: Action) => make(gateForm(resource, action))
        return [resource.name, { read: of('read'), create: of('create'), delete: of('delete') }] as const
      })
    )
    return ({ action, type, principal, row }) => kinds.get(type)?.[action](principal, row, null) ?? false
  }
}

/** The rules as code, without CASL. */
export const asCode: Contender = {
  name: 'twinrule, compiled',
  about: 'the rules as generated code',
  oneIn: 1,
  maxKinds: 1_000,
  prepare: compiled(fastPredicate)
}

/** The rules as closures, for hosts that forbid making code. */
export const asClosures: Contender = {
  name: 'twinrule, closures',
  about: 'the rules where code may not be generated',
  oneIn: 1,
  maxKinds: 1_000,
  prepare: compiled(compilePredicate)
}

/** What decides in the service: one CASL ability whose conditions are the compiled rules. */
export const staticAbility: Contender = {
  name: 'twinrule, CASL ability',
  about: 'what decides in the service: one CASL ability for all principals',
  oneIn: 1,
  maxKinds: 1_000,
  prepare: ({ bundle }) => {
    const ability = buildAbility(bundle)
    return ({ action, type, principal, row }) => ability.can(action, { type, principal, row, now: null })
  }
}

/** The whole engine: attributes read and checked, a decision with its reason. */
export const engine: Contender = {
  name: 'twinrule, engine.decide',
  about: 'the same with every attribute checked, and a reason',
  oneIn: 1,
  maxKinds: 1_000,
  prepare: ({ bundle, asks }) => {
    const decide = createEngine(bundle, { clock: () => 0 }).decide
    const requests = new Map(
      asks.map(ask => {
        const { id, ...properties } = ask.principal
        const subject = { type: 'user', id: String(id), properties }
        const resource = { type: ask.type, id: String(ask.row['id']), properties: ask.row }
        return [ask, { subject, action: { name: ask.action }, resource }] as const
      })
    )
    return ask => {
      const request = requests.get(ask)
      return request !== undefined && decide(request).decision
    }
  }
}

const stock = (workload: Workload, ask: Ask) =>
  createMongoAbility(caslRules(workload.bundle, ask.principal, null) as never, {
    detectSubjectType: row => (row as unknown as { readonly type: string }).type
  })

/** CASL as its manual shows it, with the abilities of all principals kept. */
export const cachedAbilities: Contender = {
  name: 'CASL, cached per principal',
  about: 'createMongoAbility from the portable rules, kept for each principal',
  oneIn: 1,
  maxKinds: 100,
  prepare: workload => {
    const abilities = new Map<string, ReturnType<typeof stock>>()
    return ask => {
      const id = String(ask.principal['id'])
      let ability = abilities.get(id)
      if (ability === undefined) {
        ability = stock(workload, ask)
        abilities.set(id, ability)
      }
      return ability.can(ask.action, { type: ask.type, ...ask.row } as never)
    }
  }
}

/** CASL with an ability for each request. */
export const abilityPerRequest: Contender = {
  name: 'CASL, built per request',
  about: 'the same, kept for nobody',
  oneIn: 20,
  maxKinds: 5,
  prepare: workload => ask => stock(workload, ask).can(ask.action, { type: ask.type, ...ask.row } as never)
}
