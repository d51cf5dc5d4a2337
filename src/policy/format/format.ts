import { isDeepStrictEqual } from 'node:util'
import { Lexer } from 'yaml'
import { PolicyError } from '../../errors/errors.js'
import { POLICY_FILE } from '../files.js'
import { loadTexts } from '../load.js'
import { type Path, parseSource } from '../source.js'
import { spacedCondition } from './condition.js'
import { formatYaml } from './yaml.js'

/** Texts by file name. */
export type Texts = Readonly<Record<string, string>>

/** The texts in their one form, or why not. */
export interface Formatted {
  readonly texts: Texts
  readonly problems: readonly PolicyError[]
}

/** Where conditions stand in a policy file. */
export function isConditionPlace([section, ...path]: Path): boolean {
  const key = path.at(-1)
  if (section === 'macros') return path.length === 1
  if (section === 'invariants') return path.length === 3 && (key === 'when' || key === 'unless')
  if (section !== 'traits' && section !== 'resources') return false
  const [, part] = path
  if (part === 'rules') return path.length === 4 && (key === 'when' || key === 'check')
  return part === 'column_rules' && path.length === 4 && key === 'when'
}

/** A policy or test file in its one form. */
export function formatText(file: string, text: string): string {
  return formatYaml(text, POLICY_FILE.test(file) ? isConditionPlace : () => false)
}

/**
 * The policy and test files of a folder in their one form. What they say stays the same, comments included, and so does
 * the revision; a file for which that cannot be had is a problem, and nothing is to be written.
 */
export function formatTexts(texts: Texts, format: typeof formatText = formatText): Formatted {
  const files = Object.entries(texts)
  const broken = files.flatMap(([file, text]) => parseSource(file, text).problems)
  if (broken.length > 0) return { texts, problems: broken }
  const formatted = Object.fromEntries(files.map(([file, text]) => [file, format(file, text)]))
  const problems = [
    ...revisionProblems(texts, formatted),
    ...files.flatMap(([file, before]) => {
      const after = formatted[file] ?? ''
      const why =
        difference(file, before, after) ?? (format(file, after) === after ? null : 'it has no one form')
      return why === null ? [] : [refused(file, why)]
    })
  ]
  return problems.length > 0 ? { texts, problems } : { texts: formatted, problems: [] }
}

/** A policy that does not compile has no revision; what its files say is compared all the same. */
function revisionProblems(before: Texts, after: Texts): readonly PolicyError[] {
  const [old, next] = [before, after].map(revisionOf)
  const [first = ''] = Object.keys(before).filter(file => POLICY_FILE.test(file))
  // safety: the revision is what a database is compared with
  return old === next ? [] : [refused(first, 'the policy would have another revision')]
}

function refused(file: string, why: string): PolicyError {
  const span = { file, line: 1, column: 1, endLine: 1, endColumn: 1 }
  const hint = 'nothing was written; this is a fault in twinrule: please report it with the file'
  return new PolicyError('TWR_POLICY_FORMAT', `it cannot be formatted: ${why}`, span, hint)
}

function revisionOf(texts: Texts): string | null {
  const policies = Object.entries(texts).filter(([file]) => POLICY_FILE.test(file))
  return loadTexts(Object.fromEntries(policies)).bundle?.revision ?? null
}

/** What two texts say differently, or null. */
function difference(file: string, before: string, after: string): string | null {
  const [old, next] = [before, after].map(text => parseSource(file, text).source)
  if (!old || !next) return 'the result could not be read'
  const isCondition = POLICY_FILE.test(file) ? isConditionPlace : () => false
  if (!isDeepStrictEqual(said(old.value, [], isCondition), said(next.value, [], isCondition))) {
    return 'the result would say something else'
  }
  return isDeepStrictEqual(commentsOf(before), commentsOf(after)) ? null : 'a comment would be lost'
}

/** A value of a file, its conditions with one space between their parts. */
function said(value: unknown, path: Path, isCondition: (path: Path) => boolean): unknown {
  if (typeof value === 'string') return isCondition(path) ? (spacedCondition(value) ?? value) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item: unknown, i) => said(item, [...path, i], isCondition))
  return Object.entries(value).map(([key, item]) => [key, said(item, [...path, key], isCondition)])
}

/** What stands behind each `#`, in its order. */
function commentsOf(text: string): readonly string[] {
  const lexemes = [...new Lexer().lex(text)]
  // the mark before a scalar: what follows it is no comment, whatever it starts with
  return lexemes
    .filter((lexeme, i) => lexeme.startsWith('#') && lexemes[i - 1] !== '\x1f')
    .map(lexeme => lexeme.trim())
}
