import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { Document, isScalar, Scalar, visit, parse as yaml } from 'yaml'
import { foldedCondition, spacedCondition } from '../../src/policy/format/condition.js'
import { formatText, formatTexts } from '../../src/policy/format/format.js'
import { loadTexts } from '../../src/policy/load.js'
import { policyText } from '../agreement/arbitraries.js'

const one = (text: string) => formatText('p.yaml', text)

t.test('a file has one form', async t => {
  const ugly = `

# head
version:   1   # one
principal: {id: uuid,   tenant_id: uuid, # who
    kind: 'text' }


resources:
     note:
         table:    'notes'
         # cols
         columns: {id:   uuid!, tenant_id: uuid!, the_first_of_two_rather_long_names: text, the_second_of_two_long_names: text}
         rules:
             a: {allow: [ read,
                update ], when: 'resource.tenant_id==principal.tenant_id&&(resource.the_first_of_two_rather_long_names=="x"||resource.the_second_of_two_long_names in["a","b"])&&!(resource.tenant_id==null)'}
             # why
             b:
               # before
               allow: [read] # item
               when: > # folded
                 resource.tenant_id
                   ==    principal.tenant_id
             c: { forbid: [read], when: 'principal.kind == "x"' }
`
  t.equal(
    one(ugly),
    `# head
version: 1 # one
principal:
  id: uuid
  tenant_id: uuid # who
  kind: "text"

resources:
  note:
    table: "notes"
    # cols
    columns:
      id: uuid!
      tenant_id: uuid!
      the_first_of_two_rather_long_names: text
      the_second_of_two_long_names: text
    rules:
      a:
        allow: [read, update]
        when: >-
          resource.tenant_id == principal.tenant_id
          && (resource.the_first_of_two_rather_long_names == "x"
          || resource.the_second_of_two_long_names in ["a", "b"])
          && !(resource.tenant_id == null)
      # why
      b:
        # before
        allow: [read] # item
        when: >- # folded
          resource.tenant_id == principal.tenant_id
      c: { forbid: [read], when: 'principal.kind == "x"' }
`
  )
})

t.test('conditions have one space between their parts, and break where their parts end', async t => {
  const cases = [
    ['a==b&&!c||!(d in[ 1,-2 ])', 'a == b && !c || !(d in [1, -2])'],
    ['resource . x . can( "read" )', 'resource.x.can("read")'],
    ['resource.s.exists( s,s.a<=1 )', 'resource.s.exists(s, s.a <= 1)'],
    ['a not in ["it\'s  x", \'\\"\']', 'a not in ["it\'s  x", \'\\"\']'],
    ['a in (b)', 'a in (b)']
  ] as const
  for (const [written, spaced] of cases) t.equal(spacedCondition(written), spaced)
  t.equal(spacedCondition('a == "'), null, 'what is no condition stays')
  t.strictSame(foldedCondition('aaaa && bbbb && (cccc || dddd) && eeee', 12), [
    'aaaa && bbbb',
    '&& (cccc',
    '|| dddd)',
    '&& eeee'
  ])
})

t.test('the policies and tests of the examples are in their one form', async t => {
  for (const file of [
    'policies/platform.yaml',
    'policies/platform.test.yaml',
    'examples/collaboration/policies/collaboration.yaml',
    'examples/collaboration/policies/collaboration.test.yaml'
  ]) {
    const text = readFileSync(file, 'utf8')
    t.equal(formatText(file, text), text, file)
  }
})

t.test('values of test files stay as they are written', async t => {
  const text = `version: 1\nrows: { note: { a: { n: 9007199254740993, when: "a==b", at: '2001-01-01', x: 1.50, no: } } }\ntests: []\n`
  const { texts, problems } = formatTexts({ 'n.test.yaml': text })
  t.strictSame(problems, [])
  t.match(texts['n.test.yaml'], '{ n: 9007199254740993, when: "a==b", at: "2001-01-01", x: 1.50, no: }')
})

/** A policy written in some other way, with numbered comments. */
const written = fc
  .tuple(
    policyText,
    fc.infiniteStream(fc.nat(9)),
    fc.constantFrom(2, 4, 7),
    fc.constantFrom(0, 30, 100),
    fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_FOLDED', 'BLOCK_LITERAL')
  )
  .map(([text, stream, indent, lineWidth, type]) => {
    const dice = () => Number(stream.next().value)
    const document = new Document(yaml(text))
    let comments = 0
    visit(document, {
      Pair(_, { key, value }) {
        if (isScalar(key) && dice() === 0) key.commentBefore = ` c${++comments}.`
        if (isScalar(key) && dice() === 0) key.spaceBefore = true
        if (isScalar(value) && dice() === 0) value.comment = ` c${++comments}.`
      },
      Collection(_, node) {
        if (dice() < 3) node.flow = true
      },
      Scalar(key, node) {
        if (key !== 'key' && typeof node.value === 'string' && dice() < 5) node.type = Scalar[type as 'PLAIN']
      }
    })
    return { text, written: document.toString({ indent, lineWidth }), comments }
  })

t.test('formatting is idempotent, keeps every comment and never changes the revision', async t => {
  const seed = Number(process.env['TWINRULE_SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`TWINRULE_SEED=${seed}`)
  let changed = 0
  fc.assert(
    fc.property(written, ({ text, written, comments }) => {
      const { texts, problems } = formatTexts({ 'p.yaml': written })
      if (problems.length > 0) throw new Error(problems.join('\n'))
      const formatted = texts['p.yaml'] ?? ''
      if (formatted !== written) changed += 1
      const kept = Array.from({ length: comments }, (_, i) => formatted.includes(`# c${i + 1}.`))
      const revisions = [text, written, formatted].map(one => loadTexts({ 'p.yaml': one }).bundle?.revision)
      return kept.every(Boolean) && new Set(revisions).size === 1 && one(formatted) === formatted
    }),
    { seed, numRuns: 300 }
  )
  t.ok(changed > 200, 'and does something')
})

t.test('what would say something else is refused', async t => {
  const policy = readFileSync('policies/platform.yaml', 'utf8')
  const planted: readonly (readonly [string, (text: string) => string, RegExp])[] = [
    ['another value', text => text.replace('allow: [read]', 'allow: [update]'), /another revision/],
    ['another condition', text => text.replace('when: admin\n', 'when: mine\n'), /another revision/],
    [
      'another invariant',
      text => text.replace('{ columns: [id] }', '{ columns: [name] }'),
      /say something else/
    ],
    ['a lost comment', text => text.replace(/# What is private.*\n/, '\n'), /a comment would be lost/],
    ['no one form', text => `${text}\n`, /no one form/],
    ['no YAML', text => text.replace('[read]', '[read'), /another revision/]
  ]
  for (const [name, change, why] of planted) {
    const { texts, problems } = formatTexts({ 'p.yaml': policy }, (_, text) => change(text))
    t.match(problems, [{ code: 'TWR_POLICY_FORMAT', message: why }], name)
    t.equal(texts['p.yaml'], policy, name)
  }
})

t.test('files that cannot be read are reported, and nothing is formatted', async t => {
  const { texts, problems } = formatTexts({ 'a.yaml': 'version:   1\n', 'b.yaml': 'a: [\n' })
  t.match(problems, [{ code: 'TWR_POLICY_YAML', span: { file: 'b.yaml' } }])
  t.equal(texts['a.yaml'], 'version:   1\n')
})
