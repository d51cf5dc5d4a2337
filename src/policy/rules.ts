import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import { ACTIONS, type AddedAction, type Rule } from '../ir/model.js'
import { resolveCondition, type Surroundings } from './conditions.js'
import { type Declared, mapping, texts } from './sections.js'
import type { Path, Source } from './source.js'

/** A rule as it stands in a file, of a resource itself or of a trait that it uses. */
export interface RuleText {
  readonly id: string
  readonly value: Readonly<Record<string, unknown>>
  readonly source: Source
  readonly path: Path
}

/** Words of other systems for the four actions. */
const MEANT: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['select', 'view', 'list', 'get'].map(word => [word, 'did you mean `read`?'])),
  ...Object.fromEntries(['insert', 'add'].map(word => [word, 'did you mean `create`?'])),
  ...Object.fromEntries(['write', 'edit', 'modify'].map(word => [word, 'did you mean `update`?'])),
  ...Object.fromEntries(['remove', 'destroy'].map(word => [word, 'did you mean `delete`?']))
}

/** The rules written in a resource or trait. */
export function ruleTexts(owner: Declared): readonly RuleText[] {
  return Object.entries(mapping(mapping(owner.value)['rules'])).map(([id, value]) => ({
    id,
    value: mapping(value),
    source: owner.source,
    path: [...owner.path, 'rules', id]
  }))
}

/** One resolved rule, or null when a part of it was reported. */
export function resolveRule(
  text: RuleText,
  added: readonly AddedAction[],
  around: Surroundings,
  problems: PolicyError[]
): Rule | null {
  const { id, value, source, path } = text
  const effect = ruleEffect(text, problems)
  if (effect === null) return null
  const actions = ruleActions(text, effect, added, problems)
  const part = (key: 'when' | 'check') =>
    resolveCondition(value[key], source, [...path, key], around, problems)
  const when = part('when')
  const check = value['check'] === undefined ? when : part('check')
  if (value['check'] !== undefined && !actions.some(action => action === 'create' || action === 'update')) {
    const message = `\`check\` is asked of the new row of a create or update, and the rule ${effect}s neither`
    const span = source.keySpanOf([...path, 'check'])
    problems.push(new PolicyError('TWR_POLICY_USELESS_CHECK', message, span, 'put it into `when`'))
  }
  if (when === null || check === null || actions.length === 0) return null
  return { id, effect, actions, when, check, span: source.keySpanOf(path) }
}

function ruleEffect({ value, source, path }: RuleText, problems: PolicyError[]): Rule['effect'] | null {
  const allows = value['allow'] !== undefined
  const forbids = value['forbid'] !== undefined
  if (allows !== forbids) return allows ? 'allow' : 'forbid'
  const misspelt = Object.keys(value).some(key => !['allow', 'forbid', 'when', 'check'].includes(key))
  if (!allows && misspelt) return null
  const message = allows ? 'the rule allows and forbids' : '`allow` is missing'
  const hint = allows ? 'write two rules' : 'list the actions: allow: [read], or forbid: [read]'
  problems.push(new PolicyError('TWR_POLICY_EFFECT', message, source.keySpanOf(path), hint))
  return null
}

function ruleActions(
  { value, source, path }: RuleText,
  effect: Rule['effect'],
  added: readonly AddedAction[],
  problems: PolicyError[]
): readonly string[] {
  const written = texts(value[effect])
  const known = [...ACTIONS, ...added.map(({ name }) => name)]
  for (const [i, action] of written.entries()) {
    if (known.includes(action)) continue
    const span = source.spanOf([...path, effect, i])
    const hint = MEANT[action] ?? suggest(action, known, 'actions')
    problems.push(new PolicyError('TWR_POLICY_ACTION', `unknown action \`${action}\``, span, hint))
  }
  return known.filter(action => written.includes(action))
}
