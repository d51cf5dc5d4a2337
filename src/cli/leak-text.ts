import type { Alone } from '../leakcheck/alone.js'
import type { Event, Findings, Leak } from '../leakcheck/interleave.js'
import type { Disturbance } from '../leakcheck/request.js'
import type { Colors } from './io.js'

const ROWS_SHOWN = 5
const WIDTH = 100

const DISTURBED: Readonly<Record<Disturbance, string>> = {
  cancel: 'cancelled in its middle',
  fail: 'a statement before it fails',
  abandon: 'given up in its middle'
}

/** What each tenant gets when nothing else is asked. */
export function aloneText(alone: readonly Alone[]): string {
  const lines = alone.map(({ target, rows }) => {
    const counts = [...rows].map(([tenant, own]) => `${nameOf(tenant)} ${own.size}`)
    return `alone, rows of ${target.request.name}: ${counts.join(', ')}\n`
  })
  return lines.join('')
}

/** The result as text for people. */
export function findingsText(findings: Findings, colors: Colors): string {
  const { answers, disturbed, failed, lacking, leaks } = findings
  const [first] = leaks
  const notes = [
    ...(failed.count === 0 ? [] : [`${failed.count} failed by themselves, the first: ${failed.first}`]),
    ...(lacking === 0
      ? []
      : [`${lacking} answers lacked rows that their tenant gets alone: a context may have been lost`])
  ].map(line => `${colors.yellow('note:')} ${line}\n`)
  const leaked = leaks.length === 0 ? colors.green('0 leaks') : colors.red(`${leaks.length} leaked`)
  const summary = `${answers} answers, ${leaked}; ${disturbed} requests disturbed\n`
  return [...(first === undefined ? [] : [leakText(first, colors), '\n']), ...notes, summary].join('')
}

function leakText({ request, tenant, rows, story }: Leak, { red, bold, dim }: Colors): string {
  const owners = [...new Set(rows.flatMap(({ of }) => of))]
  const shown = rows
    .slice(0, ROWS_SHOWN)
    .map(({ row, of }) => `  of ${of.join(' and ')}: ${clipped(JSON.stringify(row))}\n`)
  const more = rows.length > ROWS_SHOWN ? [`  and ${rows.length - ROWS_SHOWN} more\n`] : []
  const heading = `${red(bold('LEAK'))}  ${request} for ${bold(nameOf(tenant))} gave ${rows.length} rows of ${bold(owners.join(' and '))}\n`
  const events = story.map((event, i) => {
    const line = eventText(event)
    return i === story.length - 1 ? `  ${bold(line)}  <- here\n` : `  ${dim(line)}\n`
  })
  return [heading, ...shown, ...more, '\nWhat was asked before and meanwhile:\n', ...events].join('')
}

function eventText({ at, client, request, tenant, disturbance, ended }: Event): string {
  const time = ended === null ? `${seconds(at)}, running` : `${seconds(at)} to ${seconds(ended.at)}`
  const how =
    disturbance === null
      ? ended === null
        ? ''
        : `: ${clipped(ended.how, 60)}`
      : `, ${DISTURBED[disturbance]}`
  return `${time.padEnd(20)}  client ${String(client).padEnd(2)}  ${request} for ${nameOf(tenant)}${how}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`
}

function nameOf(tenant: string | null): string {
  return tenant ?? 'nobody'
}

function clipped(text: string, width = WIDTH): string {
  return text.length > width ? `${text.slice(0, width - 3)}...` : text
}
