import type { DecisionRequest } from '../../src/engine/request.js'
import { type Bundle, resourceOf } from '../../src/ir/model.js'
import type { InvariantProof } from '../../src/prove/report.js'

/** A counterexample as an application would ask for it: related rows come with the key that leads to them. */
export function requestOf(bundle: Bundle, proof: InvariantProof): DecisionRequest {
  const { action, resource, counterexample } = proof
  if (counterexample === null) throw new Error(`no counterexample: ${proof.verdict}`)
  const { principal, row, next, changed } = counterexample
  const { id, ...properties } = principal
  const relations = resourceOf(bundle, resource)?.relations ?? []
  const moved = relations.filter(({ local }) => changed.includes(local)).map(({ name }) => name)
  const changes = Object.fromEntries([...changed, ...moved].map(name => [name, next?.[name]]))
  return {
    subject: { type: 'user', id: String(id), properties },
    action: { name: action ?? 'update', properties: next === null ? {} : { changes } },
    resource: { type: resource, id: String(row['id']), properties: row }
  }
}
