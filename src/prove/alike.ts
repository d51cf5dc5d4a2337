import type { Bundle } from '../ir/model.js'
import type { Subject } from './plan.js'
import type { GateProof } from './report.js'
import { type Asked, type PortableRules, rulesOfOne, textOfRules } from './sides.js'
import { structureOf } from './structure.js'

/** A resource whose gates are all proved, and the portable rules of everyone who was asked about. */
interface Proved {
  readonly gates: readonly GateProof[]
  readonly asked: readonly (Omit<Asked, 'rules'> & { readonly rules: string })[]
}

type About = Pick<Subject, 'resource' | 'security' | 'permitted' | 'lists'>

/** The proofs of a policy's resources, for those that differ from an earlier one in nothing but names. */
export interface Alike {
  /** Keeps a proof for others. `asked` is null when it does not hold everyone. */
  readonly keep: (about: About, gates: readonly GateProof[], asked: readonly Asked[] | null) => void
  /**
   * The gates of a resource like this one, or null.
   * safety: this one's SQL was read, and its portable rules are made for everyone and compared; only the reference and
   * the compiled rules, which are made of equal formulas, are not asked once more
   */
  readonly find: (bundle: Bundle, about: About, rulesFor: PortableRules) => readonly GateProof[] | null
}

/** Nothing is proved yet. */
export function noneAlike(): Alike {
  const known = new Map<string, Proved>()
  return {
    keep: (about, gates, asked) => {
      // what a subquery sees depends on the SQL of yet another resource
      if (about.resource.relations.length > 0) return
      if (asked === null || gates.some(({ verdict }) => verdict !== 'proved')) return
      const texts = asked.map(({ rules, ...who }) => ({ ...who, rules: textOfRules(rules, about.resource) }))
      known.set(structureFor(about), { gates, asked: texts })
    },
    find: (bundle, about, rulesFor) => {
      const { resource } = about
      const proved = known.get(structureFor(about))
      if (proved === undefined) return null
      const own = rulesOfOne(bundle, resource, rulesFor)
      return proved.asked.every(
        ({ principal, now, rules }) => textOfRules(own(principal, now), resource) === rules
      )
        ? proved.gates
        : null
    }
  }
}

/** Everything about a resource and its table that a proof looks at, the names of the two aside. */
function structureFor({ resource: { name: _, ...resource }, security, permitted, lists }: About): string {
  const policies = [...(security?.policies.values() ?? [])].map(({ name: _, ...policy }) => policy)
  return structureOf({
    resource,
    permitted,
    lists,
    security: security === null ? null : { ...security, policies }
  })
}
