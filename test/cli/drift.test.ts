import t from 'tap'
import { driftMarkdown, driftText } from '../../src/cli/drift-text.js'
import { run } from '../../src/cli/run.js'
import type { DriftReport } from '../../src/drift/finding.js'
import { capture } from '../support/capture.js'
import { TEST_PASSWORD } from '../support/cluster.js'
import { demoDatabase, exampleBundle } from '../support/example.js'

const bundle = await exampleBundle()

async function drift(argv: readonly string[], env: Record<string, string> = {}) {
  const { io, out, err } = capture(env)
  const code = await run(['drift', ...argv], io)
  return { code, out: out(), err: err() }
}

t.test('a live database', async t => {
  const database = await demoDatabase(t, bundle)
  const owner = await database.client()
  t.teardown(() => owner.end())
  const url = database.url('twinrule_service', TEST_PASSWORD)

  await t.test('without drift is exit code 0, by flag and by environment', async t => {
    const expected = {
      code: 0,
      out: '',
      err: /^no drift: \d+ objects, revision [0-9a-f]{12}, PostgreSQL \d+\n$/
    }
    t.match(await drift(['--database', url]), expected)
    t.match(await drift([], { DATABASE_URL: url }), expected)
    t.match(await drift(['--database', url, '--format', 'markdown']), { code: 0, out: /^## No drift\n/ })
  })

  await owner.query(`ALTER POLICY twinrule_agents_select ON agents USING (true);
    CREATE POLICY "every[one](x)" ON tools AS RESTRICTIVE USING (true); DROP INDEX tools_by_tenant`)

  t.test('with drift is exit code 1, and says what, what it was and what to do', async t => {
    const { code, out, err } = await drift(['--database', url])
    t.equal(code, 1)
    t.equal(err.slice(0, err.indexOf('(')), 'drift: 2 errors, 1 warning ')
    t.match(
      out,
      /^TWR_DRIFT_POLICY the policy every\[one\]\(x\) ON public\.tools is none of the compiled ones\n {2}hint: run DROP/
    )
    t.match(
      out,
      /\n {2}expected: [\s\S]*context_tenant_id[\s\S]*\n {2}found: true\n {2}allow: SQL twinrule_app\n/
    )
    t.match(out, /\nTWR_DRIFT_INDEX [\s\S]*hint: run CREATE INDEX tools_by_tenant/)
    const long = out.split('\n').filter(line => line.length > 100 && !/^ {2}(?:principal|row):/.test(line))
    t.same(long, [], 'it fits a terminal')
  })

  t.test('--format markdown cannot be made to say more by a name', async t => {
    const { code, out } = await drift(['--database', url, '--format', 'markdown'])
    t.equal(code, 1)
    t.match(out, /^## Drift\n\ndrift: 2 errors, 1 warning/)
    t.match(out, '### error: the policy every\\[one\\](x) ON public.tools')
    t.match(out, /- found: `true`\n\n```text\n {2}allow: SQL twinrule\\?_app/)
  })

  t.test('--format json is the documented shape', async t => {
    const { code, out } = await drift(['--database', url, '--format', 'json'])
    t.equal(code, 1)
    const report = JSON.parse(out) as DriftReport
    t.same(Object.keys(report), ['revision', 'installed', 'server', 'objects', 'findings', 'notes'])
    t.same(
      new Set(report.findings.flatMap(one => Object.keys(one))),
      new Set([
        'code',
        'severity',
        'kind',
        'object',
        'property',
        'expected',
        'found',
        'message',
        'hint',
        'counterexample'
      ])
    )
    t.match(
      report.findings.map(({ code, severity }) => [code, severity]),
      [
        ['TWR_DRIFT_POLICY', 'error'],
        ['TWR_DRIFT_POLICY', 'error'],
        ['TWR_DRIFT_INDEX', 'warning']
      ]
    )
  })
})

t.test('a database must be named and be there', async t => {
  t.match(await drift([]), { code: 2, err: /^TWR_CONFIG no database to look at/ })
  const { code, err } = await drift(['--database', 'postgres://twinrule_service:hunter2@127.0.0.1:1/app'])
  t.equal(code, 3)
  t.match(err, /^TWR_DB_UNREACHABLE /)
  t.notMatch(err, /hunter2/)
  const dir = t.testdir({ 'a.yaml': 'version: 2\n' })
  t.match(await drift(['--policies', dir, '--database', 'postgres://127.0.0.1:1/x']), {
    code: 1,
    err: /TWR_POLICY_/
  })
})

t.test('names and texts that look like markup stay text', async t => {
  const report: DriftReport = {
    revision: bundle.revision,
    installed: null,
    server: 15,
    objects: 1,
    findings: [
      {
        code: 'TWR_DRIFT_POLICY',
        severity: 'error',
        kind: 'policy',
        object: 'x',
        property: 'using',
        expected: 'a `tick`',
        found: `${'long '.repeat(300)}`,
        message: '<img src=x> [link](http://evil)\n# heading @all',
        hint: 'none',
        counterexample: null
      }
    ],
    notes: ['a *note*']
  }
  const markdown = driftMarkdown(report)
  t.match(markdown, '### error: \\<img src=x\\> \\[link\\](http\\://evil) \\# heading &#64;all')
  t.match(markdown, '- expected: `` a `tick` ``')
  t.match(markdown, '- a \\*note\\*')
  const text = driftText(report, capture().io.outColors)
  t.ok(text.length < 1500, 'a long text is cut')
  t.match(text, /\nnote: a \*note\*\n$/)
})
