import t from 'tap'
import { guardSql, tableSql } from '../../src/prove/emitted.js'
import { prove } from '../../src/prove/prove.js'
import { bundleOf, GUARDED } from './policies.js'

const bundle = bundleOf(GUARDED)

/** The proof of the files alone, with another text of what guards their columns. */
async function proveFiles(change: (text: string) => string) {
  const alone = { ...bundle, resources: bundle.resources.filter(({ name }) => name === 'file') }
  const [file] = alone.resources
  if (file === undefined) throw new Error('no files')
  const text = guardSql(file, alone)
  const changed = change(text)
  t.not(changed, text, 'the text has what is changed')
  const report = await prove(alone, { emitted: { guards: () => changed } })
  return { verdict: report.verdict, proof: report.resources[0] }
}

const replace = (from: string, to: string) => (text: string) => text.replace(from, () => to)
const ACTIVE = "row_security_active('public.files'::regclass)"

t.test('triggers and their functions are proved, where they ask other tables too', async t => {
  const report = await prove(bundle)
  t.equal(report.verdict, 'proved')
  for (const { resource, gates } of report.resources) {
    t.equal(
      gates.some(({ gate }) => gate === 'columns'),
      resource !== 'folder',
      resource
    )
  }
})

t.test('what else a function or trigger may hold is not read, so nothing is proved', async t => {
  const strange: readonly (readonly [string, string, RegExp])[] = [
    ['BEGIN\n', 'DECLARE title text := NULL;\nBEGIN\n', /the variable title/],
    ['  RETURN NULL;\nEND', '  RETURN NEW;\nEND', /PLpgSQL_stmt_return|retvarno/],
    [
      '    RETURN NULL;\n',
      "    PERFORM set_config('role', 'x', true);\n    RETURN NULL;\n",
      /several statements/
    ],
    ['    RETURN NULL;\n', '    NULL;\n', /no fields/],
    ['  END IF;\n', '  ELSE\n    RETURN NULL;\n  END IF;\n', /else_body/],
    ["ERRCODE = 'insufficient_privilege'", "ERRCODE = 'P0001'", /another code/],
    ['RAISE EXCEPTION', 'RAISE WARNING', /elog_level/],
    ['IS DISTINCT FROM NEW.', 'IS NOT DISTINCT FROM NEW.', /operator|AEXPR/],
    ['OLD."id" IS DISTINCT FROM NEW."id"', 'OLD."id" IS DISTINCT FROM NEW."title"', /before and after/],
    ['OLD."id" IS DISTINCT FROM NEW."id"', 'OLD."id" IS DISTINCT FROM OLD."id"', /before and after/],
    [ACTIVE, 'row_security_active(0)', /A_Const/],
    [ACTIVE, 'row_security_active(TG_RELID)', /ColumnRef/],
    [ACTIVE, "row_security_active('public.folders'::regclass)", /another table/],
    [ACTIVE, "row_security_active('public.files'::oid)", /another table/],
    [ACTIVE, 'pg_is_in_recovery()', /the function/],
    [ACTIVE, "TG_OP = 'UPDATE'", /the column tg_op/],
    ['LANGUAGE plpgsql', 'LANGUAGE sql', /PL\/pgSQL|plpgsql|sql/],
    ['VOLATILE', 'IMMUTABLE', /immutable/],
    ['AFTER UPDATE ON public."files"', 'AFTER UPDATE ON public."folders"', /another table/],
    ['AFTER UPDATE ON', 'AFTER UPDATE OF title ON', /columns/],
    ['"twinrule_files_columns"();', '"twinrule_files_columns"(1);', /args/]
  ]
  for (const [from, to, why] of strange) {
    const { verdict, proof } = await proveFiles(replace(from, to))
    t.equal(verdict, 'not proved: unreadable SQL', `${from}: ${to}`)
    t.match(proof?.findings[0], why)
  }
})

t.test(
  'in a function that writes for applications the role of its caller is asked, and nothing else',
  async t => {
    const kept = bundleOf(
      GUARDED.replace('{ id: uuid!, folder_id', '{ gone: timestamptz, id: uuid!, folder_id').replace(
        '    relations: { folder: { one: folder } }\n',
        '    relations: { folder: { one: folder } }\n    soft_delete: gone\n'
      )
    )
    t.equal((await prove(kept)).verdict, 'proved')
    const login = `COALESCE(NULLIF(current_setting('role'), 'none'), session_user::text) = 'twinrule_app'`
    const changes: readonly (readonly [string, string, string | RegExp])[] = [
      [" AND current_user <> 'twinrule_remover'", '', 'proved'],
      [" AND current_user <> 'twinrule_remover'", " AND current_user = 'twinrule_remover'", 'refuted'],
      [" AND current_user <> 'twinrule_remover'", " AND current_user <> 'twinrule_app'", 'refuted'],
      [" AND current_user <> 'twinrule_remover'", " AND current_user <> 'somebody'", /the role somebody/],
      [" AND current_user <> 'twinrule_remover'", " AND session_user <> 'twinrule_app'", /op/],
      [login, login.replace("'none'", "''"), /not the caller/],
      [login, login.replace("'role'", "'twinrule.role'"), /not the caller/],
      [login, login.replace('session_user', 'current_user'), /op/],
      [login, login.replace(' = ', ' <> '), /a caller by/]
    ]
    for (const [from, to, expected] of changes) {
      const guards: typeof guardSql = (...of) => guardSql(...of).replace(from, () => to)
      const { resources } = await prove(kept, { emitted: { guards } })
      const paper = resources.find(({ resource }) => resource === 'paper')
      const found = typeof expected === 'string' ? paper?.verdict : paper?.findings.join(' ')
      t.match(found, expected, `${from}: ${to}`)
    }
  }
)

t.test('a trigger that does not judge every change as the caller is a finding', async t => {
  const misshapen: readonly (readonly [string, string, RegExp])[] = [
    ['"A_twinrule_', '"twinrule_', /runs after foreign keys are checked/],
    ['AFTER UPDATE', 'BEFORE UPDATE', /runs BEFORE the event/],
    ['AFTER UPDATE', 'AFTER INSERT OR UPDATE', /runs at INSERT OR UPDATE/],
    ['SECURITY INVOKER', 'SECURITY DEFINER', /with the rights of its owner/],
    ['SET search_path = pg_catalog, pg_temp', 'SET search_path = pg_catalog, public', /looks for names in/]
  ]
  for (const [from, to, finding] of misshapen) {
    const { verdict, proof } = await proveFiles(replace(from, to))
    t.equal(verdict, 'refuted', to)
    t.match(proof?.findings, [finding], to)
  }
})

t.test('a function that forgets a column is refuted by a change of that column alone', async t => {
  const { verdict, proof } = await proveFiles(text =>
    text.replace('IF OLD."id" IS DISTINCT FROM NEW."id" THEN', 'IF false THEN')
  )
  t.equal(verdict, 'refuted')
  const refuted = proof?.gates.filter(one => one.verdict !== 'proved') ?? []
  t.match(refuted, [
    { gate: 'columns', counterexample: { changed: ['id'], says: { reference: false, compiled: false } } }
  ])
  t.equal(refuted[0]?.counterexample?.says['SQL twinrule_app'], true)
})

t.test("a subquery is proved as the other table's policies show it, too", async t => {
  const closed = (text: string) => text.replaceAll('"tenant_id" =', '"tenant_id" <>')
  const sql: typeof tableSql = (resource, all) =>
    resource.name === 'folder' ? closed(tableSql(resource, all)) : tableSql(resource, all)
  const report = await prove(bundle, { emitted: { sql } })
  const paper = report.resources.find(({ resource }) => resource === 'paper')
  const read = paper?.gates.find(({ gate }) => gate === 'read')
  t.match(read?.counterexample?.says, {
    reference: true,
    'SQL twinrule_app': true,
    'SQL twinrule_app, as seen': false
  })
})
