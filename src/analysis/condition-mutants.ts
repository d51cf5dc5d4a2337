import type { Atom, Condition, Ordering } from '../ir/formula.js'
import { printAtom, printCondition, printScalar } from '../ir/print.js'

/** A change of one part of a condition, for any condition of the same shape. */
export interface ConditionMutant {
  /** What was changed, with the text of the part. */
  readonly name: string
  readonly apply: (condition: Condition) => Condition
}

const TRUE: Condition = { kind: 'const', value: true }
const FALSE: Condition = { kind: 'const', value: false }

/**
 * Every change of one part: it is taken for true or for false, `&&` and `||` stand for each other, a `!` is gone, an
 * ordering is another one, an item is missing from a list.
 */
export function conditionMutants(condition: Condition): readonly ConditionMutant[] {
  const mutants = ownMutants(condition)
  switch (condition.kind) {
    case 'const':
    case 'atom':
      return mutants
    case 'and':
    case 'or':
      return [
        ...mutants,
        ...condition.of.flatMap((part, i) =>
          conditionMutants(part).map(({ name, apply }) => ({
            name,
            apply: (one: Condition) =>
              'of' in one && Array.isArray(one.of)
                ? ({ ...one, of: one.of.map((other, j) => (i === j ? apply(other) : other)) } as Condition)
                : one
          }))
        )
      ]
    case 'not':
    case 'exists':
      return [...mutants, ...conditionMutants(condition.of).map(within)]
  }
}

/** A mutant of what stands inside of a `!` or an `exists`. */
function within({ name, apply }: ConditionMutant): ConditionMutant {
  return {
    name,
    apply: one => (one.kind === 'not' || one.kind === 'exists' ? { ...one, of: apply(one.of) } : one)
  }
}

function ownMutants(condition: Condition): readonly ConditionMutant[] {
  const to = (name: string, changed: Condition): ConditionMutant => ({ name, apply: () => changed })
  switch (condition.kind) {
    case 'const':
      return [to(`${!condition.value} for ${condition.value}`, condition.value ? FALSE : TRUE)]
    case 'and':
    case 'or': {
      const other = condition.kind === 'and' ? 'or' : 'and'
      const [from, into] = condition.kind === 'and' ? ['&&', '||'] : ['||', '&&']
      return [
        {
          name: `${into} for ${from} in \`${printCondition(condition)}\``,
          apply: one => (one.kind === condition.kind ? { ...one, kind: other } : one)
        }
      ]
    }
    case 'not':
      return [
        {
          name: `no ! before \`${printCondition(condition.of)}\``,
          apply: one => (one.kind === 'not' ? one.of : one)
        }
      ]
    case 'exists':
      return constants(`\`${printCondition(condition)}\``)
    case 'atom':
      return [...constants(`\`${printAtom(condition.atom)}\``), ...atomMutants(condition.atom)]
  }
}

function constants(text: string): readonly ConditionMutant[] {
  return [
    { name: `${text} taken for true`, apply: () => TRUE },
    { name: `${text} taken for false`, apply: () => FALSE }
  ]
}

/** Where one stands, another is a slip away. */
const SLIPS: Readonly<Record<Ordering, Ordering>> = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' }

function atomMutants(atom: Atom): readonly ConditionMutant[] {
  const changed = (name: string, to: Atom): ConditionMutant => ({
    name,
    apply: one => (one.kind === 'atom' ? { ...one, atom: to } : one)
  })
  if (atom.kind === 'order') {
    const op = SLIPS[atom.op]
    return [changed(`${op} for ${atom.op} in \`${printAtom(atom)}\``, { ...atom, op })]
  }
  if (atom.kind === 'in' && atom.set.kind === 'list' && atom.set.values.length > 1) {
    const { set } = atom
    return set.values.map(value =>
      changed(`no ${printScalar(value, set.type.of)} in \`${printAtom(atom)}\``, {
        ...atom,
        set: { ...set, values: set.values.filter(other => other !== value) }
      })
    )
  }
  return []
}
