/**
 * Writes docs/errors.md from src/errors/codes.ts. Run it with `npm run docs:errors`; a test keeps the file current.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { CODES, type CodeEntry } from '../src/errors/codes.js'

const GROUPS: readonly (readonly [prefix: string, heading: string, text: string])[] = [
  [
    'TWR_POLICY_',
    'Policy files',
    'Printed as `file:line:column CODE message`; lines and columns count from 1.'
  ],
  [
    'TWR_TEST_',
    'Policy tests',
    'Printed by `twinrule test`, those of a file as `file:line:column CODE message`. A test that fails has no code.'
  ],
  [
    'TWR_LEAK_',
    'Looking for leaks',
    'Printed by `twinrule leakcheck`, see [leakcheck.md](leakcheck.md). A leak has no code.'
  ],
  ['TWR_CONFIG', 'Settings and flags', 'Something outside the policy files is missing or wrong.'],
  [
    'TWR_GENERATED_',
    'Generated files',
    'SQL that `twinrule compile` or `twinrule migrate plan` has written, see [database.md](database.md#generated-files).'
  ],
  ['TWR_DB_', 'Databases', 'Over HTTP these answer 503 and never name a row, a user or a tenant.'],
  [
    'TWR_CATALOG_',
    'A policy and a live database',
    'Found by `twinrule check --database`, printed like mistakes in policy files.'
  ],
  [
    'TWR_DRIFT_',
    'Drift',
    'Found by `twinrule drift` and by the service, see [database.md](database.md#drift).'
  ],
  [
    'TWR_REQUEST_',
    'Requests',
    'Answered by the service: OVERLOADED and DRAINING with 503, the others with a 4xx status. They never end a command.'
  ],
  [
    'TWR_PROOF_',
    'Proofs',
    'Printed by `twinrule prove` for a resource that it therefore does not call proved.'
  ],
  ['TWR_BUG', 'Faults', 'Not your mistake. Please report it with the policy files.']
]

const EXITS: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'fine'],
  [1, 'findings: mistakes in policies, or a difference'],
  [2, 'usage or configuration'],
  [3, 'database'],
  [70, 'a fault in twinrule itself'],
  [78, 'the service refuses an unsafe or unmigrated database']
]

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

/** The text of docs/errors.md. */
export function errorsMarkdown(): string {
  const codes: [string, CodeEntry][] = Object.entries(CODES)
  const sections = GROUPS.map(([prefix, heading, text]) => {
    const rows = codes
      .filter(([code]) => code.startsWith(prefix))
      .map(([code, entry]) => [`\`${code}\``, entry.title, String(entry.exit)])
    return `## ${heading}\n\n${text}\n\n${table(['Code', 'Meaning', 'Exit code'], rows)}`
  })
  const exits = table(
    ['Exit code', 'Meaning'],
    EXITS.map(([code, meaning]) => [String(code), meaning])
  )
  return [
    '<!-- Generated from src/errors/codes.ts by `npm run docs:errors`. Do not edit. -->',
    '# Errors',
    'Codes are public: a code keeps its meaning for ever. Messages and hints may change in any version.',
    `## Exit codes of \`twinrule\`\n\n${exits}`,
    ...sections
  ]
    .join('\n\n')
    .concat('\n')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const file = join(dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'errors.md')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, errorsMarkdown())
}
