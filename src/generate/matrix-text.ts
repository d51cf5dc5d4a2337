import type { Bundle } from '../ir/model.js'
import { matrixOf, type SaidAction, type SaidDemand, type SaidResources } from './matrix.js'

const INTRO =
  '"They" is whoever asks, "it" is the row. A comparison with a value that is missing is never true. Of the rules of a cell one is enough, as long as nothing after "not if" applies. What no rule allows is denied, and so is everything to whoever is not known.'

/** How a text and its parts are written in one format. */
interface Format {
  readonly text: (plain: string) => string
  readonly strong: (text: string) => string
  readonly line: string
}

const MARKDOWN: Format = {
  text: plain => plain.replaceAll(/[\\`*<>|[\]]/g, '\\$&'),
  strong: text => `**${text}**`,
  line: '<br>'
}
const HTML: Format = {
  text: plain => plain.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
  strong: text => `<b>${text}</b>`,
  line: '<br>'
}

/** Who may do what, as Markdown. */
export function matrixMarkdown(bundle: Bundle): string {
  const parts = matrixOf(bundle).flatMap(group => [
    `\n## ${group.resources.map(MARKDOWN.text).join(', ')}\n\n`,
    '| action | who may |\n| --- | --- |\n',
    ...group.actions.map(one => `| ${MARKDOWN.text(one.action)} | ${whoMay(one, MARKDOWN)} |\n`),
    columnLines(group, MARKDOWN)
      .map((line, i) => `${i === 0 ? '\n' : ''}- ${line}\n`)
      .join('')
  ])
  return `# Who may do what\n\n${note(bundle)}\n\n${INTRO}\n${parts.join('')}`
}

/** Who may do what, as a page of its own. */
export function matrixHtml(bundle: Bundle): string {
  const parts = matrixOf(bundle).flatMap(group => [
    `<h2>${group.resources.map(HTML.text).join(', ')}</h2>\n<table>\n<tr><th>action</th><th>who may</th></tr>\n`,
    ...group.actions.map(
      one => `<tr><th scope="row">${HTML.text(one.action)}</th><td>${whoMay(one, HTML)}</td></tr>\n`
    ),
    '</table>\n',
    ...columnLines(group, HTML).map(line => `<p>${line}</p>\n`)
  ])
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Who may do what</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #ccc; padding: .4rem .6rem; text-align: left; vertical-align: top }
</style>
<h1>Who may do what</h1>
<p>${note(bundle)}</p>
<p>${INTRO}</p>
${parts.join('')}</html>
`
}

/** Where a file is from. */
export function note({ revision }: Bundle): string {
  return `Made by twinrule generate from revision ${revision.slice(0, 12)}. Do not edit.`
}

function whoMay({ demands, also }: SaidAction, format: Format): string {
  if (demands.every(({ allows }) => allows.length === 0)) return 'nobody'
  const lines = demands.flatMap(demand => demandLines(demand, format))
  const needed =
    also.length === 0 ? [] : [`and they must be allowed to ${also.map(format.text).join(' and ')} it too`]
  return [...lines, ...needed].join(format.line)
}

function demandLines({ row, allows, forbids }: SaidDemand, format: Format): readonly string[] {
  const said = ({ rule, words }: SaidDemand['allows'][number]) =>
    `${format.strong(format.text(rule))}: ${format.text(words)}`
  return [
    ...(row === null ? [] : [`of ${row}:`]),
    ...(allows.length === 0 ? ['nobody'] : allows.map(said)),
    ...forbids.map(rule => `not if ${said(rule)}, or that is not known`)
  ]
}

function columnLines(
  { immutable, softDelete, deletesByStatement, columnRules }: SaidResources,
  format: Format
): readonly string[] {
  const list = (columns: readonly string[]) => columns.map(format.text).join(', ')
  return [
    ...(immutable.length === 0 ? [] : [`Never changed: ${list(immutable)}`]),
    ...(softDelete === null
      ? []
      : [`Set by a delete that keeps the row, and by nothing else: ${list([softDelete])}`]),
    ...(deletesByStatement ? [] : ['Deleted in the database by a function alone']),
    ...columnRules.map(({ columns, words, through }) => {
      const how = through === null ? '' : `, in the database by ${through} alone`
      return `Changed only if ${format.text(words)}${how}: ${list(columns)}`
    })
  ]
}
