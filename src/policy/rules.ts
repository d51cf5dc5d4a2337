import { PolicyError } from '../errors/errors.js'
import { ACTIONS, type Action, type Rule } from '../ir/model.js'
import { resolveCondition, type Surroundings } from './conditions.js'
import { type Declared, mapping, texts } from './sections.js'
import type { Path, Source } from './source.js'
import { suggest } from './suggest.js'

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
export function resolveRule(text: RuleText, around: Surroundings, problems: PolicyError[]): Rule | null {
  const { id, value, source, path } = text
  const actions = ruleActions(text, problems)
  const part = (key: 'when' | 'check') =>
    resolveCondition(value[key], source, [...path, key], around, problems)
  const when = part('when')
  const check = value['check'] === undefined ? when : part('check')
  if (value['check'] !== undefined && !actions.some(action => action === 'create' || action === 'update')) {
    const message = '`check` is asked of the new row of a create or update, and the rule allows neither'
    problems.push(
      new PolicyError(
        'TWR_POLICY_USELESS_CHECK',
        message,
        source.keySpanOf([...path, 'check']),
        'put it into `when`'
      )
    )
  }
  if (when === null || check === null || actions.length === 0) return null
  return { id, effect: 'allow', actions, when, check, span: source.keySpanOf(path) }
}

function ruleActions({ value, source, path }: RuleText, problems: PolicyError[]): readonly Action[] {
  const written = texts(value['allow'])
  for (const [i, action] of written.entries()) {
    if (isAction(action)) continue
    problems.push(
      new PolicyError(
        'TWR_POLICY_ACTION',
        `unknown action \`${action}\``,
        source.spanOf([...path, 'allow', i]),
        MEANT[action] ?? suggest(action, ACTIONS, 'actions')
      )
    )
  }
  return ACTIONS.filter(action => written.includes(action))
}

function isAction(name: string): name is Action {
  return (ACTIONS as readonly string[]).includes(name)
}
