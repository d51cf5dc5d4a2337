import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Bundle } from '../../src/ir/model.js'
import { listSql } from '../../src/prove/emitted.js'
import { prove } from '../../src/prove/prove.js'
import { bundleOf, RELATED_ROWS } from './policies.js'

const PLATFORM = readFileSync(join(import.meta.dirname, '..', '..', 'policies', 'platform.yaml'), 'utf8')

function alone(text: string, name: string): Bundle {
  const bundle = bundleOf(text)
  return { ...bundle, resources: bundle.resources.filter(one => one.name === name), invariants: [] }
}

/** What a list could say instead, as changes of its text; each must be refused. */
const CHANGES: readonly (readonly [name: string, from: string | RegExp, to: string])[] = [
  ['a condition less', / AND "deleted_at" IS NULL/, ''],
  ['a condition turned', '"deleted_at" IS NULL', '"deleted_at" IS NOT NULL'],
  ['another operator', /"sharing_mode" = /, '"sharing_mode" <> '],
  ['another constant', "'global'", "'selective'"],
  ['another claim', /claimed_tenant_id/, 'claimed_user_id'],
  ['an OR', / AND "is_shared"/, ' OR "is_shared"'],
  ['an arm less', /UNION ALL \(\n(?:(?!UNION ALL)[\s\S])*\n\)(?=\) AS arms)/, ''],
  ['arms without repetition', 'UNION ALL', 'UNION'],
  ['what one arm has and another has not', 'UNION ALL', 'EXCEPT ALL'],
  ['rows of two arms twice', /DISTINCT ON \("id"\) /, ''],
  ['one row of those that are alike', 'DISTINCT ON ("id")', 'DISTINCT ON ("tenant_id")'],
  ['fewer rows of an arm', 'LIMIT 1\n', 'LIMIT 0\n'],
  ['another order in an arm', 'ORDER BY "id" ASC LIMIT 1\n', 'ORDER BY "id" DESC LIMIT 1\n'],
  ['another table', 'FROM public."agents"', 'FROM public."prompts"'],
  ['another schema', 'FROM public."agents"', 'FROM other."agents"'],
  ['rows that are passed over', /LIMIT 1$/, 'LIMIT 1 OFFSET 1'],
  ['no question who there is', 'IS NULL THEN false', 'IS NULL THEN true'],
  ['nobody', 'THEN true', 'THEN false']
]

t.test('the statements of lists show what the rules allow to be read', async t => {
  for (const bundle of [alone(PLATFORM, 'agent'), alone(RELATED_ROWS, 'page')]) {
    const { verdict } = await prove(bundle)
    t.equal(verdict, 'proved', bundle.resources[0]?.name ?? '')
  }
})

t.test('a list that says something else is refused', async t => {
  const bundle = alone(PLATFORM, 'agent')
  for (const [name, from, to] of CHANGES) {
    let changed = false
    const lists: NonNullable<NonNullable<Parameters<typeof prove>[1]>['emitted']>['lists'] = (
      resource,
      view
    ) => {
      const text = listSql(resource, view)
      if (text === null || view.flag !== null) return text
      const other = text.replace(from, to)
      changed ||= other !== text
      return other
    }
    const { resources } = await prove(bundle, { emitted: { lists } })
    t.ok(changed, `${name}: the text has it`)
    t.match(resources[0]?.verdict, /^(?:refuted|not proved: unreadable SQL)$/, name)
  }
})

t.test('a list that is never made, and one of a role flag by the flag alone, are refused', async t => {
  const bundle = alone(PLATFORM, 'agent')
  const never = await prove(bundle, { emitted: { lists: () => null } })
  const read = never.resources[0]?.gates.find(({ gate }) => gate === 'read')
  t.match(read?.counterexample?.says, { reference: true, 'list twinrule_app': false })
  const unentered = await prove(bundle, {
    emitted: {
      lists: (resource, view) =>
        listSql(resource, view)?.replace('entered_platform_admin', 'context_is_platform_admin') ?? null
    }
  })
  t.equal(unentered.resources[0]?.verdict, 'not proved: unreadable SQL')
})

t.test('conditions over related rows are proved in lists as well', async t => {
  const bundle = alone(RELATED_ROWS, 'page')
  for (const [from, to] of [
    ['EXISTS (', 'NOT EXISTS ('],
    ['NOT twinrule_related."hidden" AND ', ''],
    ['twinrule_related."tenant_id" =', 'twinrule_related."tenant_id" <>']
  ] as const) {
    let changed = false
    const { resources } = await prove(bundle, {
      emitted: {
        lists: (resource, view) => {
          const text = listSql(resource, view)
          changed ||= text?.replace(from, to) !== text
          return text?.replace(from, to) ?? null
        }
      }
    })
    t.ok(changed, from)
    t.match(resources[0]?.verdict, /^(?:refuted|not proved: unreadable SQL)$/, from)
  }
})
