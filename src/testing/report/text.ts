import { summaryLines } from '../../engine/explain/summary.js'
import { type Marks, PLAIN } from '../../engine/explain/words.js'
import { type Coverage, score } from '../coverage.js'
import { type MutationReport, mutationScore } from '../mutate.js'
import { type CaseResult, type FileResult, tally } from '../run.js'
import type { Report } from './report.js'
import { fullTitle, lockList, placeOf, verdictLines, withNames } from './words.js'

/** A report for a terminal: what failed and why, and the numbers last. */
export function reportText(report: Report, marks: Marks = PLAIN): string {
  const failures = report.files.flatMap(file =>
    file.results
      .filter(({ message }) => message !== null)
      .map(result => failureText(report, file, result, marks))
  )
  const files = report.files.map(file => {
    const { passed, failed } = tally([file])
    return `${file.file.file}  ${numbers(passed, failed, marks)}\n`
  })
  return [
    ...failures,
    ...files,
    report.coverage === null ? '' : coverageText(report.coverage, marks),
    report.mutation === null ? '' : mutationText(report.mutation, marks),
    `\n${summaryText(report, marks)}\n`
  ].join('')
}

/** The numbers of a run in one line. */
export function summaryText({ files, locks }: Report, marks: Marks = PLAIN): string {
  const { passed, failed } = tally(files)
  return `${numbers(passed, failed, marks)}${marks.faint(`, asked ${lockList(locks)}`)}`
}

function numbers(passed: number, failed: number, marks: Marks): string {
  const bad = failed === 0 ? `${failed} failed` : marks.bad(`${failed} failed`)
  return `${passed === 0 ? `${passed} passed` : marks.good(`${passed} passed`)}, ${bad}`
}

function failureText(report: Report, file: FileResult, result: CaseResult, marks: Marks): string {
  const { test, message, disagreeing } = result
  const explanation = report.explain(file, result)
  // the engine's reason stands among the verdicts already
  const why = explanation === null ? [] : summaryLines(explanation).slice(1)
  const verdicts = result.verdicts.size > 1 || disagreeing.length > 0 ? verdictLines(result) : []
  const reason = verdicts.length > 0 || explanation === null ? [] : [explanation.reason]
  const lines = [...reason, ...verdicts, ...why].map(line => `    ${withNames(file.file.fixtures, line)}\n`)
  return [
    `${marks.bad('FAILED')}  ${marks.strong(fullTitle(test))}  ${marks.faint(placeOf(test))}\n`,
    `  ${message}\n`,
    ...lines,
    '\n'
  ].join('')
}

function coverageText(coverage: Coverage, marks: Marks): string {
  const { rules, seen, all } = score(coverage)
  const gaps = coverage.rules.flatMap(({ rule, part, at, missing, tests }) => {
    const own = tests.filter(test => test.missing.length > 0)
    if (missing.length === 0 && own.length === 0) return []
    const asks = part === 'check' ? ', its check' : part === 'column rule' ? ', a column rule' : ''
    const never = missing.length === 0 ? '' : `: never ${missing.join(', never ')}`
    return [
      `  ${marks.strong(rule)}${asks}${never}  ${marks.faint(at ?? '')}\n`,
      ...own.map(
        test => `    never ${test.missing.join(', never ')}: ${test.text}  ${marks.faint(test.at ?? '')}\n`
      )
    ]
  })
  const untested =
    coverage.untested.length === 0
      ? ''
      : `  no test asks about ${marks.strong(coverage.untested.join(', '))}\n`
  return `\ncoverage: ${rules} of ${coverage.rules.length} rules seen true and not true, ${seen} of ${all} truths of their tests\n${gaps.join('')}${untested}`
}

/** More changes without a difference are counted, not listed: JSON has them all. */
const MAX_UNCLEAR = 5

function mutationText(report: MutationReport, marks: Marks): string {
  const { mutants, killed, survived, missing, same, unclear } = report
  const percent = Math.floor(mutationScore(report) * 100)
  const gaps =
    missing.length === 0 ? '' : `\nPaste these under tests:, if that is what the policy shall do:\n\n`
  return [
    `\nmutation score: ${percent} %, the tests notice ${killed} of ${killed + survived} mistakes`,
    same.length === 0 ? '' : `; ${same.length} of ${mutants} make no difference`,
    '\n',
    ...unclear.slice(0, MAX_UNCLEAR).map(name => marks.faint(`  no difference was found: ${name}\n`)),
    unclear.length > MAX_UNCLEAR ? marks.faint(`  and of ${unclear.length - MAX_UNCLEAR} more\n`) : '',
    gaps,
    missing.map(({ paste }) => paste).join('\n')
  ].join('')
}
