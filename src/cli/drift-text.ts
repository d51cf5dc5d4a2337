import type { DriftFinding, DriftReport } from '../drift/finding.js'
import type { Colors } from './io.js'
import { count } from './problems.js'
import { counterexampleText } from './prove-text.js'

/** The report for programs, in the form of docs/database.md. */
export function driftJson(report: DriftReport): string {
  return `${JSON.stringify(report, null, 2)}\n`
}

/** How a report ends, in one line. */
export function driftSummary({ findings, objects, server, revision }: DriftReport): string {
  const where = `${count(objects, 'object')}, revision ${revision.slice(0, 12)}, PostgreSQL ${server}`
  if (findings.length === 0) return `no drift: ${where}`
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const warnings = findings.length - errors
  const kinds = [
    ...(errors === 0 ? [] : [count(errors, 'error')]),
    ...(warnings === 0 ? [] : [count(warnings, 'warning')])
  ]
  return `drift: ${kinds.join(', ')} (${where})`
}

/** Columns of a terminal that are sure to be there. */
const WIDTH = 100
/** Longer expressions are cut; `--format json` has them whole. */
const LONGEST = 600

/** The report for people at a terminal. */
export function driftText({ findings, notes }: DriftReport, colors: Colors): string {
  const blocks = findings.map(finding => {
    const paint = finding.severity === 'error' ? colors.red : colors.yellow
    const [first = '', ...rest] = wrapped(`${finding.code} ${finding.message}`, WIDTH - 4)
    const start = finding.code.length
    return [
      `${paint(first.slice(0, start))}${colors.bold(first.slice(start))}\n`,
      ...rest.map(line => `    ${colors.bold(line)}\n`),
      ...values(finding).map(([label, value]) => indented(colors.dim(`${label}:`), label, value)),
      ...(finding.counterexample === null ? [] : [counterexampleText(finding.counterexample)]),
      indented(colors.dim('hint:'), 'hint', finding.hint)
    ].join('')
  })
  return [...blocks, ...notes.map(note => `${colors.dim('note:')} ${note}\n`)].join('')
}

function values({ expected, found }: DriftFinding): readonly (readonly [label: string, value: string])[] {
  if (expected === null || found === null || expected === 'there' || found === 'there') return []
  return [
    ['expected', short(expected)],
    ['found', short(found)]
  ]
}

/** One line of text, however PostgreSQL broke it. */
function short(value: string): string {
  const line = value.replace(/\s+/g, ' ')
  return line.length > LONGEST ? `${line.slice(0, LONGEST)} ...` : line
}

function indented(shown: string, label: string, text: string): string {
  const indent = '  '
  const room = WIDTH - indent.length - label.length - 2
  const [first = '', ...rest] = wrapped(text, room)
  const margin = ' '.repeat(indent.length + label.length + 2)
  return [`${indent}${shown} ${first}`, ...rest.map(line => `${margin}${line}`)]
    .map(line => `${line}\n`)
    .join('')
}

/** Lines of at most `room` characters, broken between words. */
function wrapped(text: string, room: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < room) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** The report as a comment on a pull request or in a job's summary. */
export function driftMarkdown(report: DriftReport): string {
  const { findings, notes } = report
  const title = findings.length === 0 ? '## No drift' : '## Drift'
  const sections = findings.map(finding => {
    const { severity, code, message, hint, counterexample } = finding
    const facts = values(finding).map(([label, value]) => `- ${label}: ${codeSpan(value)}`)
    const example =
      counterexample === null ? [] : ['', '```text', counterexampleText(counterexample).trimEnd(), '```']
    return [
      `### ${severity}: ${escaped(message)}`,
      '',
      `\`${code}\` ${escaped(hint)}`,
      '',
      ...facts,
      ...example
    ].join('\n')
  })
  const said = notes.map(note => `- ${escaped(note)}`)
  const parts = [title, driftSummary(report), ...sections, ...(said.length === 0 ? [] : [said.join('\n')])]
  return `${parts.map(part => part.trimEnd()).join('\n\n')}\n`
}

/** Text as code, with a fence that it does not hold. */
function codeSpan(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const space = text.startsWith('`') || text.endsWith('`') ? ' ' : ''
  return `${fence}${space}${text}${space}${fence}`
}

/** safety: names of objects are anybody's text, and must not become links, HTML or mentions in a comment. */
function escaped(text: string): string {
  return text
    .replace(/[\\<>[\]*_|#]|:(?=\/\/)/g, '\\$&')
    .replaceAll('@', '&#64;')
    .replace(/[\r\n]+/g, ' ')
}
