import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { fastPredicate, generated } from '../../src/backends/codegen.js'
import type { Atom, Term } from '../../src/ir/formula.js'
import { type Nnf, normalize } from '../../src/ir/normal-form.js'

const NASTY = [
  '"]; process.exit(1); //',
  "'\\\n\u2028\u2029`$ {x}",
  '__proto__',
  'constructor',
  '</script>',
  '\\"'
] as const

const column = (name: string): Term => ({ kind: 'column', name, type: { kind: 'text' } })
const text = (value: string): Term => ({ kind: 'literal', value, type: { kind: 'text' } })
const is = (atom: Atom): Nnf => normalize({ kind: 'atom', atom })

t.test('names and literals of a policy stay names and literals in the code', t => {
  for (const name of NASTY) {
    for (const value of NASTY) {
      const equal = generated(is({ kind: 'eq', left: column(name), right: text(value) }))
      const row = Object.assign(Object.create(null), { [name]: value }) as Record<string, string>
      t.equal(equal({}, row, null), true)
      t.equal(equal({}, Object.create(null), null), false)
      t.equal(equal({}, { ...row, [name]: `${value} else` }, null), false)
    }
  }
  t.end()
})

t.test('rules that read alike share their code', t => {
  const rule = () => is({ kind: 'eq', left: column('title'), right: text('a') })
  t.equal(generated(rule()), generated(rule()))
  const other = is({ kind: 'eq', left: column('title'), right: text('b') })
  t.not(generated(rule()), generated(other))
  t.end()
})

t.test('where a process may not make code, closures decide the same', async t => {
  const script = `
    const { fastPredicate } = await import('./src/backends/codegen.ts')
    const title = { kind: 'column', name: 'title', type: { kind: 'text' } }
    const a = { kind: 'literal', value: 'a', type: { kind: 'text' } }
    const rule = fastPredicate({ kind: 'literal', atom: { kind: 'eq', left: title, right: a }, negated: true })
    console.log([{ title: 'a' }, { title: 'b' }, { title: null }].map(row => rule({}, row, null)).join())`
  const flags = [
    '--import',
    '@tapjs/typescript/import',
    '--disallow-code-generation-from-strings',
    '--input-type=module'
  ]
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '-e', script])
  const here = fastPredicate({
    ...is({ kind: 'eq', left: column('title'), right: text('a') }),
    negated: true
  } as Nnf)
  t.equal(
    stdout.trim(),
    [{ title: 'a' }, { title: 'b' }, { title: null }].map(row => here({}, row, null)).join()
  )
  t.equal(stdout.trim(), 'false,true,false')
})
