import type { CommandGate } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import { noneAlike } from '../prove/alike.js'
import type { Counterexample } from '../prove/counterexample.js'
import { tableSql } from '../prove/emitted.js'
import type { Parser } from '../prove/read-back.js'
import type { ResourceProof } from '../prove/report.js'
import { proveResource } from '../prove/resource.js'
import { kindOf, listOf, type Tree } from '../prove/tree.js'
import { canonical, type TypeOf } from './canonical.js'

/** What a policy means whose text is not the compiled one. */
export type Meaning =
  | { readonly verdict: 'same' }
  | { readonly verdict: 'different'; readonly counterexample: Counterexample }
  | { readonly verdict: 'unknown'; readonly why: string }

/** A policy as it is, where it differs from the compiled one. */
export interface LivePolicy {
  readonly name: string
  readonly command: string
  /** The clauses that differ: their trees, null for a clause that is not there, undefined for one that cannot be parsed. */
  readonly clauses: ReadonlyMap<string, unknown>
}

/** What is needed to ask for meanings. */
export interface MeaningOptions {
  readonly bundle: Bundle
  readonly parse: Parser
  readonly typeOf: TypeOf
  /** The most cases that are compared for one policy. */
  readonly maxModels: number
}

const GATES: Readonly<Record<string, readonly CommandGate[]>> = {
  select: ['read'],
  insert: ['create'],
  update: ['update', 'update_new'],
  delete: ['delete']
}

/**
 * Whether a policy decides as the rules do, by the proof of its resource with this policy in place of the compiled one.
 * The rest of the table is compared by itself.
 */
export function meaningOf(policy: LivePolicy, resource: Resource, options: MeaningOptions): Meaning {
  if ([...policy.clauses.values()].includes(undefined)) return unknown('its text cannot be parsed')
  const proof = proofWith(policy, resource, options, tree => tree)
  if (proof === null) return unknown('it is no policy of a rule')
  if (proof.verdict !== 'not proved: unreadable SQL') return verdictOf(proof, policy.command)
  // its form alone may be wrong: under the compiled guard it allows no more than it does
  const guarded = proofWith(policy, resource, options, underGuard)
  const example = guarded === null ? null : refutationOf(guarded, policy.command)
  return example !== null && example.says['reference'] === false
    ? { verdict: 'different', counterexample: example }
    : unknown('it says what no rule can say')
}

function verdictOf(proof: ResourceProof, command: string): Meaning {
  const counterexample = refutationOf(proof, command)
  if (counterexample !== null) return { verdict: 'different', counterexample }
  if (proof.findings.length > 0) return unknown(proof.findings.join('; '))
  const gates = gatesOf(proof, command)
  const decided = gates.length > 0 && gates.every(({ verdict }) => verdict === 'proved')
  return decided ? { verdict: 'same' } : unknown('there are too many cases to compare')
}

function gatesOf({ gates }: ResourceProof, command: string): ResourceProof['gates'] {
  return gates.filter(({ gate }) => GATES[command]?.some(one => one === gate))
}

function refutationOf(proof: ResourceProof, command: string): Counterexample | null {
  return gatesOf(proof, command).find(one => one.counterexample !== null)?.counterexample ?? null
}

type Rewrite = (live: unknown, compiled: unknown) => unknown

/** The proof of a resource with a live policy in place of the compiled one; null when there is none of its name. */
function proofWith(
  policy: LivePolicy,
  resource: Resource,
  { bundle, parse, typeOf, maxModels }: MeaningOptions,
  rewrite: Rewrite
): ResourceProof | null {
  const compiled = parse(tableSql(resource, bundle))
  const put: Rewrite = (live, tree) => rewrite(canonical(live, typeOf), tree)
  const statements = compiled.map(statement => replaced(statement, policy, put))
  // safety: a proof of the compiled statements alone would say nothing of this policy
  if (statements.every((statement, i) => statement === compiled[i])) return null
  const tools = { parse: () => statements, parseBody: null, securityOf: () => null, alike: noneAlike() }
  return proveResource(bundle, resource, tools, { maxModels })
}

/** A condition as the arm of the compiled guard that allows; as it is where the compiled policy has no such guard. */
function underGuard(live: unknown, compiled: unknown): unknown {
  const [kind, fields] = kindOf(compiled)
  const [guard, { args, ...rest }] = kindOf(kind === 'BoolExpr' ? listOf(fields['args']).at(-1) : compiled)
  const [nobody, allowed] = listOf(args)
  if (guard !== 'CaseExpr' || allowed === undefined) return live
  const arm = { CaseWhen: { ...kindOf(allowed)[1], expr: live } }
  return { CaseExpr: { ...rest, args: [nobody, arm] } }
}

const unknown = (why: string): Meaning => ({ verdict: 'unknown', why })

function replaced(statement: unknown, { name, clauses }: LivePolicy, put: Rewrite): unknown {
  const [kind, fields] = kindOf(statement)
  if (kind !== 'CreatePolicyStmt' || fields['policy_name'] !== name) return statement
  const made: Record<string, unknown> = { ...fields }
  for (const [clause, tree] of clauses) {
    const field = clause === 'using' ? 'qual' : 'with_check'
    if (tree === null) delete made[field]
    else made[field] = made[field] === undefined ? tree : put(tree, made[field])
  }
  return { CreatePolicyStmt: made as Tree }
}
