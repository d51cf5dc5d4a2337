import type { Command } from 'commander'
import { accessObjects } from '../../backends/sql/access.js'
import { diffObjects, type SqlChange } from '../../backends/sql/diff.js'
import { type Context, EXIT, examples, formatOption } from '../command.js'
import { diffMarkdown, diffText } from '../diff/render.js'
import { bundleOf } from '../diff/side.js'
import type { Io } from '../io.js'

const DESCRIPTION = `Compares the SQL that two states of the policies compile to, object by object and table by table.

BASE and HEAD are each a folder, a git revision (\`main\`: the folder "policies" of it), or both (\`main:path\`, as seen from the working directory). The same meaning gives the same SQL: renamed files, other comments and another order are no difference. Exits 0 without a difference, 1 with one, 2 when a side cannot be read or does not compile.`

/** `twinrule diff BASE HEAD`: the generated SQL's difference. */
export function registerDiff(program: Command, { io, end }: Context): void {
  program
    .command('diff')
    .summary('show how the generated SQL differs between two folders or git revisions')
    .description(DESCRIPTION)
    .argument('<base>', 'the state before: a folder or a git revision')
    .argument('<head>', 'the state after')
    .addOption(formatOption('text', 'json', 'markdown'))
    .addHelpText(
      'after',
      examples(
        'twinrule diff main policies',
        'twinrule diff v1.2.0:config/policies HEAD:config/policies',
        'twinrule diff "$BASE_SHA" policies --format markdown > comment.md'
      )
    )
    .action(async (base: string, head: string, { format }: { format: string }) =>
      end(await diff(base, head, format, io))
    )
}

async function diff(base: string, head: string, format: string, io: Io): Promise<number> {
  const before = await bundleOf(base, 'BASE', io)
  const after = await bundleOf(head, 'HEAD', io)
  const changes = diffObjects(accessObjects(before), accessObjects(after))
  io.out(render(changes, format, io))
  return changes.length === 0 ? EXIT.ok : EXIT.findings
}

function render(changes: readonly SqlChange[], format: string, io: Io): string {
  if (format === 'json') return `${JSON.stringify(changes, null, 2)}\n`
  if (changes.length === 0) return ''
  return format === 'markdown' ? diffMarkdown(changes) : diffText(changes, io.outColors)
}
