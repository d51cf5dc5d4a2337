import {
  type InvariantCounterexample,
  type InvariantProof,
  invariantName,
  type Verdict
} from '../prove/report.js'
import type { Colors } from './io.js'
import { caseCount } from './problems.js'

/** One line for the invariants of a place that share a verdict, with all resources that they are about. */
export function invariantLines(
  proofs: readonly InvariantProof[],
  painted: (verdict: Verdict) => string,
  colors: Colors
): readonly string[] {
  const groups = new Map<string, readonly InvariantProof[]>()
  for (const proof of proofs) {
    const key = JSON.stringify([proof.at, proof.kind, proof.action, proof.columns, proof.verdict])
    groups.set(key, [...(groups.get(key) ?? []), proof])
  }
  return [...groups.values()].flatMap(group => {
    const [first] = group
    if (first === undefined) return []
    const name = invariantName({ ...first, resource: group.map(({ resource }) => resource).join(', ') })
    const cases = caseCount(group.reduce((sum, { models }) => sum + models, 0))
    return [`${placeOf(first)}${name}  ${painted(first.verdict)}  ${colors.dim(`${cases} cases`)}\n`]
  })
}

function placeOf({ at }: InvariantProof): string {
  return at === null ? '' : `${at} `
}

/** What speaks against an invariant; nothing where it is proved. */
export function invariantRefutation(proof: InvariantProof, colors: Colors): string {
  if (proof.verdict === 'proved') return ''
  const name = colors.bold(`${placeOf(proof)}${invariantName(proof)}`)
  return `\n${name}: ${reason(proof)}`
}

function reason({ verdict, kind, models, counterexample }: InvariantProof): string {
  if (counterexample !== null) return `${verdict}\n${counterexampleText(counterexample)}`
  switch (verdict) {
    case 'refuted':
      return kind === 'possible'
        ? `${verdict}: no case in which the action is allowed and the condition is true\n`
        : `${verdict}\n`
    case 'not proved: related rows':
      return `${verdict} (the only cases have several rows of a relation to one, or relations that hide rows from each other)\n`
    default:
      return `${verdict} (${caseCount(models)} cases or more; --max-models raises the limit)\n`
  }
}

function counterexampleText({ principal, row, next, changed, now }: InvariantCounterexample): string {
  return [
    '  allowed, against the invariant',
    `  principal: ${JSON.stringify(principal)}`,
    `  row:       ${JSON.stringify(row)}`,
    ...(next === null
      ? []
      : [`  new row:   ${JSON.stringify(next)}`, `  changed:   ${JSON.stringify(changed)}`]),
    ...(now === null ? [] : [`  now:       ${JSON.stringify(now)}`])
  ]
    .map(line => `${line}\n`)
    .join('')
}
