import { stringify } from 'yaml'
import { mutationScore } from '../mutate.js'
import { type CaseResult, type FileResult, tally } from '../run.js'
import type { Report } from './report.js'
import { fullTitle, placeOf, verdictLines } from './words.js'

/** The Test Anything Protocol, version 14. */
export function reportTap({ files }: Report): string {
  const all = files.flatMap(({ results }) => results)
  const lines = all.map((result, i) => {
    const { test, message } = result
    const title = `${placeOf(test)} ${fullTitle(test)}`.replaceAll('\\', '\\\\').replaceAll('#', '\\#')
    if (message === null) return `ok ${i + 1} - ${title}\n`
    const detail = stringify({ message, at: placeOf(test), locks: verdictLines(result) }, { lineWidth: 0 })
    return `not ok ${i + 1} - ${title}\n  ---\n${detail.replaceAll(/^/gm, '  ').trimEnd()}\n  ...\n`
  })
  return `TAP version 14\n1..${all.length}\n${lines.join('')}`
}

/** JUnit's XML, as build servers read it. */
export function reportJunit({ files }: Report): string {
  const { passed, failed } = tally(files)
  const suites = files.map(file => suite(file)).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites tests="${passed + failed}" failures="${failed}">\n${suites}</testsuites>\n`
}

function suite(file: FileResult): string {
  const { passed, failed } = tally([file])
  const name = xml(file.file.file)
  const cases = file.results.map(result => testcase(name, result)).join('')
  return `  <testsuite name="${name}" tests="${passed + failed}" failures="${failed}">\n${cases}  </testsuite>\n`
}

function testcase(suiteName: string, result: CaseResult): string {
  const { test, message } = result
  const open = `    <testcase classname="${suiteName}" name="${xml(fullTitle(test))}" file="${xml(test.span.file)}" line="${test.span.line}"`
  if (message === null) return `${open}/>\n`
  const text = xml(verdictLines(result).join('\n'))
  return `${open}>\n      <failure message="${xml(message)}">${text}</failure>\n    </testcase>\n`
}

function xml(text: string): string {
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // XML 1.0 has no other control characters, not even escaped
      .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD]/g, '?')
  )
}

/** All of it as JSON. */
export function reportJson({ revision, locks, files, coverage, mutation }: Report): string {
  const { passed, failed } = tally(files)
  const results = files.map(({ file, results }) => ({ file: file.file, tests: results.map(caseJson) }))
  const mutants = mutation === null ? null : { ...mutation, score: mutationScore(mutation) }
  return `${JSON.stringify({ revision, locks, passed, failed, files: results, coverage, mutation: mutants }, null, 2)}\n`
}

function caseJson({ test, verdicts, message, disagreeing }: CaseResult) {
  return {
    title: test.title,
    about: test.about,
    at: placeOf(test),
    who: test.who.name,
    action: test.action,
    what: test.what.name,
    changes: test.changes,
    expected: test.expected,
    passed: message === null,
    message,
    disagreeing,
    locks: Object.fromEntries(
      [...verdicts].map(([name, { decision, detail }]) => [name, { decision, detail }])
    )
  }
}
