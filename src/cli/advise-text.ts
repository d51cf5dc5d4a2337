import type { Advice, TriedIndex } from '../advise/advise.js'
import type { Scan } from '../advise/plan.js'
import type { Colors } from './io.js'

/** What fits on a line. */
const WIDTH = 100

/** Advice as people read it, a part for each statement and principal. */
export function adviceText(advice: readonly Advice[], colors: Colors): string {
  return advice.map(one => partText(one, colors)).join('\n')
}

function partText(advice: Advice, { bold, dim, red, yellow, green }: Colors): string {
  const { statement, principal, error, planning, execution, once, scans, blocked, indexes } = advice
  const lines = [bold(short(statement)), `  ${dim(`as ${principal.user} in ${principal.tenant}`)}`]
  if (error !== null) return [...lines, `  ${red('not explained:')} ${short(error)}`, ''].join('\n')
  lines.push(
    execution === null
      ? '  not run: its values are not known, or it comes from pg_stat_statements'
      : `  ${ms(execution)}, and ${ms(planning)} to plan; ${ms(once)} of it to verify who is asking`
  )
  for (const scan of scans) lines.push(...scanLines(scan))
  for (const { table, index, test, operator } of blocked) {
    lines.push(`  ${yellow('index not used:')} ${index} on ${table}, for ${short(test)}`)
    const why = operator === null ? 'its operator or function' : `the operator ${operator}`
    lines.push(`    ${why} is not leakproof: PostgreSQL asks the policies first, row by row`)
  }
  const [best] = indexes
  if (best !== undefined) lines.push(`  ${green('would help:')} ${best.create}`, `    ${measured(best)}`)
  return `${lines.join('\n')}\n`
}

function scanLines(scan: Scan): readonly string[] {
  const { table, how, indexes, read, kept, milliseconds, policyTests, ownTests } = scan
  const rows = read === null ? '' : `: ${count(read)} rows read, ${count(kept ?? 0)} left`
  const time = milliseconds === null ? '' : `, ${ms(milliseconds)}`
  return [
    `  ${table} by ${how}${rows}${time}`,
    ...(indexes.length > 0 ? [`    with ${indexes.join(', ')}`] : []),
    ...(policyTests.length > 0 ? [`    policies ask of each row: ${short(policyTests.join(' AND '))}`] : []),
    ...(ownTests.length > 0 ? [`    the statement asks: ${short(ownTests.join(' AND '))}`] : [])
  ]
}

function measured({ before, after, rows, whole }: TriedIndex): string {
  const of = whole ? 'a copy of all' : 'a copy of the first'
  return `${ms(before)} without and ${ms(after)} with it, on ${of} ${count(rows)} rows`
}

function ms(milliseconds: number): string {
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : milliseconds.toFixed(0)} ms`
}

function count(rows: number): string {
  return Math.round(rows).toLocaleString('en')
}

function short(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  const most = WIDTH - 30
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}
