import { createTwoFilesPatch } from 'diff'
import type { SqlChange } from '../../backends/sql/diff.js'
import type { Colors } from '../io.js'

/** How many equal lines stand around a difference. */
const CONTEXT_LINES = 3

/** The change of one object as a unified diff, the file names being the object's. */
export function unified({ kind, name, before, after }: SqlChange): string {
  const label = `${kind} ${name}`
  const text = (side: string | null) => (side === null ? '' : `${side}\n`)
  const patch = createTwoFilesPatch(
    before === null ? '/dev/null' : label,
    after === null ? '/dev/null' : label,
    text(before),
    text(after),
    undefined,
    undefined,
    { context: CONTEXT_LINES }
  )
  // the package's first line is a ruler
  return patch.slice(patch.indexOf('--- '))
}

/** The changes for a terminal: a heading per table, unified diffs, derived objects by name. */
export function diffText(changes: readonly SqlChange[], colors: Colors): string {
  return sections(changes)
    .map(({ heading, shown, derived }) => {
      const body = shown.map(change => colourLines(unified(change), colors)).join('')
      return `${colors.bold(`# ${heading}`)}\n${body}${derived === null ? '' : `# ${derived}\n`}`
    })
    .join('\n')
}

/** The changes as a comment on a pull request. */
export function diffMarkdown(changes: readonly SqlChange[]): string {
  const parts = sections(changes).map(({ heading, shown, derived }) => {
    const blocks = shown.map(change => {
      const text = unified(change)
      const fence = fenceFor(text)
      return `${fence}diff\n${text}${fence}\n`
    })
    return [`### ${heading}\n`, ...blocks, ...(derived === null ? [] : [`${derived}\n`])].join('\n')
  })
  return `## Changes to the generated SQL\n\n${parts.join('\n')}`
}

interface Section {
  readonly heading: string
  readonly shown: readonly SqlChange[]
  /** One line that names the changed objects which only repeat the rules above. */
  readonly derived: string | null
}

function sections(changes: readonly SqlChange[]): readonly Section[] {
  return [...new Set(changes.map(({ table }) => table))].map(table => {
    const mine = changes.filter(change => change.table === table)
    const derived = mine.filter(change => change.derived)
    const names = derived.map(({ kind, name, change }) => `${kind} ${name} (${change})`)
    return {
      heading: table === null ? 'all tables' : `table ${table}`,
      shown: mine.filter(change => !change.derived),
      derived: names.length === 0 ? null : `follows from it: ${names.join(', ')}`
    }
  })
}

function colourLines(patch: string, { bold, cyan, green, red }: Colors): string {
  const colourOf = (line: string) => {
    if (/^(---|\+\+\+) /.test(line)) return bold
    if (line.startsWith('@@')) return cyan
    if (line.startsWith('+')) return green
    return line.startsWith('-') ? red : String
  }
  return patch
    .split('\n')
    .map(line => (line === '' ? line : colourOf(line)(line)))
    .join('\n')
}

/** A fence longer than any run of backticks inside, so that text in a policy cannot end the block. */
function fenceFor(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  return '`'.repeat(Math.max(3, longest + 1))
}
