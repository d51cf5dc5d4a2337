import type { Said, Traced, TracedRelated, TracedTest } from './explanation.js'
import { type Marks, shortValue, valuesText } from './words.js'

/** A line that gets longer than this goes on below. */
const MAX_LINE = 110

/**
 * A condition in lines. Of a conjunction that is not true only the parts that are not are shown, of a disjunction that
 * is true only the first part that is, unless all are asked for.
 */
export function conditionLines(condition: Traced, indent: number, marks: Marks, all: boolean): string[] {
  // what all of it needs stands one below the other without a heading
  if (condition.kind !== 'all') return linesOf(condition, indent, marks, all)
  return telling(condition, all).flatMap(part => linesOf(part, indent, marks, all))
}

function telling(group: Traced & { readonly kind: 'all' | 'any' | 'not' }, all: boolean): readonly Traced[] {
  const { kind, truth, of } = group
  if (all || truth === 'hidden') return of
  if (kind === 'all' && truth !== 'true') return of.filter(part => part.truth !== 'true')
  if (kind === 'any' && truth === 'true') return of.filter(part => part.truth === 'true').slice(0, 1)
  return of
}

function linesOf(condition: Traced, indent: number, marks: Marks, all: boolean): string[] {
  const margin = ' '.repeat(indent)
  const line = (text: string) => `${margin}${said(condition.truth, marks)} ${text}`
  switch (condition.kind) {
    case 'const':
      return [line(condition.text)]
    case 'test':
      return testLines(condition, indent, marks)
    case 'related':
      return [line(condition.text), ...relatedLines(condition, indent + 9, marks, all)]
    case 'all':
    case 'any':
    case 'not': {
      const parts = telling(condition, all)
      return [line(GROUP[condition.kind]), ...parts.flatMap(part => linesOf(part, indent + 2, marks, all))]
    }
  }
}

const GROUP = { all: 'all of', any: 'one of', not: 'the opposite of' } as const

function said(truth: Said, marks: Marks): string {
  const word = truth.padEnd(8)
  if (truth === 'hidden') return marks.faint(word)
  return truth === 'true' ? marks.good(word) : marks.bad(word)
}

function testLines({ truth, text, values, why }: TracedTest, indent: number, marks: Marks): string[] {
  const margin = ' '.repeat(indent)
  const known = why ?? valuesOf(text, values)
  const line = `${margin}${said(truth, marks)} ${text}`
  if (known === '') return [line]
  const fits = indent + 9 + text.length + 2 + known.length <= MAX_LINE
  return fits ? [`${line}  ${marks.faint(known)}`] : [line, `${margin}${' '.repeat(9)}${marks.faint(known)}`]
}

/** What was compared; of a bool that stands alone the truth says it. */
function valuesOf(text: string, values: TracedTest['values']): string {
  const entries = Object.entries(values).filter(([term]) => term !== text)
  return entries.map(([term, value]) => `${term} is ${shortValue(value)}`).join(', ')
}

function relatedLines(
  { truth, relation, rows }: TracedRelated,
  indent: number,
  marks: Marks,
  all: boolean
): string[] {
  const margin = ' '.repeat(indent)
  if (truth === 'hidden' && rows.length === 0) return []
  if (rows.length === 0) return [`${margin}${marks.faint(`there is no row of ${relation}`)}`]
  return rows.flatMap(({ row, counts, of }) => {
    const heading = `${margin}${valuesText(row)}`
    if (!counts) return [`${heading}  ${marks.faint('does not count: who asks may not read it')}`]
    return [heading, ...conditionLines(of, indent + 2, marks, all)]
  })
}
