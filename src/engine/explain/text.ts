import { conditionLines } from './condition-text.js'
import type { ExplainedColumns, ExplainedDemand, ExplainedRule, Explanation, JsonRow } from './explanation.js'
import { nearestText } from './nearest-text.js'
import { type Marks, PLAIN, shortValue, valuesText } from './words.js'

/** How much an explanation says. */
export interface TextOptions {
  readonly marks?: Marks
  /** Every rule with every test, instead of those that matter for the decision. */
  readonly all?: boolean
  /** Of a deny the rules of the first demand that is not met, so that it fits on one screen; of the others a line. */
  readonly brief?: boolean
}

type RuleOptions = Required<Omit<TextOptions, 'brief'>>

/** An explanation for people: the decision, which rules made it and why, and what would have to change. */
export function explanationText(
  explanation: Explanation,
  { marks = PLAIN, all = false, brief = false }: TextOptions = {}
): string {
  const { decision, action, resource, subject, reason, code } = explanation
  const verdict = decision ? marks.good('ALLOWED') : marks.bad('DENIED')
  const unmet = explanation.demands.find(({ met }) => met !== true)
  const demands = explanation.demands.flatMap((demand, i) => {
    const [heading = '', ...rules] = demandText(explanation, demand, `${i + 1}. `, { marks, all })
    return brief && !decision && demand !== unmet ? [heading] : ['', heading, ...rules]
  })
  return [
    `${verdict}  ${marks.strong(`${action} ${resource.type} ${resource.id}`)} for ${subject}`,
    `  ${reason} ${marks.faint(`(${code})`)}`,
    ...aboutText(explanation, marks),
    ...demands,
    ...explanation.columns.flatMap(one => ['', ...columnsText(one, { marks, all })]),
    ...nearestText(explanation.nearest, marks),
    ''
  ].join('\n')
}

function aboutText({ principal, row, next, changed, demands }: Explanation, marks: Marks): string[] {
  if (principal === null) return []
  const isHidden = row === null && demands.some(one => one.row === 'old')
  return [
    '',
    `  who asks  ${valuesText(principal)}`,
    ...(isHidden ? [`  the row   ${marks.faint('is hidden from who asks, and so are its values')}`] : []),
    ...(changed.length === 0 ? [] : [`  changes   ${changesText(changed, row, next)}`])
  ]
}

function changesText(changed: readonly string[], row: JsonRow | null, next: JsonRow | null): string {
  return changed
    .map(name => {
      const from = row === null ? '' : `${shortValue(row[name] ?? null)} -> `
      return `${name}: ${from}${shortValue(next?.[name] ?? null)}`
    })
    .join(', ')
}

function demandText(
  { action: asked, demands }: Explanation,
  { action, met, row, part, rules }: ExplainedDemand,
  number: string,
  { marks, all }: RuleOptions
): string[] {
  const both = new Set(demands.map(one => one.row)).size > 1
  const which =
    row === 'old'
      ? both
        ? ' of the row as it is'
        : ''
      : both
        ? ' of the row as it would become'
        : ' of the new row'
  const too = action === asked ? '' : marks.faint(`, which ${asked} needs too`)
  const lines = all ? rules : deciding(rules)
  const others = rules.filter(rule => !lines.includes(rule)).map(({ rule }) => rule)
  return [
    `${number}${marks.strong(`${action}${which}`)}${too}: ${verdictOn(met, rules, marks)}`,
    ...lines.flatMap(rule => ruleText(rule, part, { marks, all })),
    ...(others.length === 0 ? [] : [`   ${marks.faint(`not needed to decide: ${others.join(', ')}`)}`])
  ]
}

/** The rules that decide: those that forbid; else those that allow, where there are none all that could have. */
function deciding(rules: readonly ExplainedRule[]): readonly ExplainedRule[] {
  const forbidding = rules.filter(({ effect, counts }) => effect === 'forbid' && counts !== false)
  const allows = rules.filter(({ effect }) => effect === 'allow')
  const allowing = allows.filter(({ counts }) => counts === true)
  if (allowing.length === 0) return [...forbidding, ...allows]
  return forbidding.length > 0 ? forbidding : allowing
}

function verdictOn(met: boolean | null, rules: readonly ExplainedRule[], marks: Marks): string {
  if (met === null) return marks.faint('hidden')
  if (met) return marks.good('yes')
  if (rules.some(({ effect, counts }) => effect === 'forbid' && counts === true))
    return marks.bad('no, it is forbidden')
  const some = rules.some(({ effect }) => effect === 'allow')
  return marks.bad(some ? 'no, no rule allows it' : 'no, there is no rule that allows it to anybody')
}

function ruleText(
  { rule, effect, counts, condition, at }: ExplainedRule,
  part: 'when' | 'check',
  { marks, all }: RuleOptions
): string[] {
  const place = at === null ? '' : marks.faint(` (${part} at ${at})`)
  const heading = `   ${marks.strong(rule)} ${ruleVerdict(effect, counts, marks)}${place}`
  return [heading, ...conditionLines(condition, 6, marks, all)]
}

function ruleVerdict(effect: ExplainedRule['effect'], counts: boolean | null, marks: Marks): string {
  if (counts === null) return marks.faint('is hidden')
  if (effect === 'allow') return counts ? marks.good('allows') : 'does not allow'
  return counts ? marks.bad('forbids') : 'does not forbid'
}

function columnsText(
  { kind, columns, permits, condition, at }: ExplainedColumns,
  { marks, all }: RuleOptions
): string[] {
  const result = permits === null ? marks.faint('hidden') : permits ? marks.good('yes') : marks.bad('no')
  const heading = `   ${marks.strong(`change ${columns.join(', ')}`)}: ${result}`
  if (kind === 'immutable') return [`${heading}, never`]
  const place = at === null ? '' : marks.faint(` (column rule at ${at})`)
  return [`${heading}${place}`, ...(condition === null ? [] : conditionLines(condition, 6, marks, all))]
}
