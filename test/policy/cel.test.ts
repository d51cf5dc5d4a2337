import { parse as parseCel } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import t from 'tap'
import type { Ast } from '../../src/policy/ast.js'
import { parseCondition } from '../../src/policy/parse-condition.js'

const SEED = Number(process.env['TWINRULE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

/** A tree without places, in one notation for both parsers. */
type Tree = string | number | boolean | null | bigint | readonly Tree[]

function ours(ast: Ast): Tree {
  switch (ast.kind) {
    case 'and':
    case 'or':
      return ast.of.map(ours).reduce((a, b) => [ast.kind === 'and' ? '&&' : '||', a, b])
    case 'not':
      return ['!_', ours(ast.of)]
    case 'equal':
      return [ast.negated ? '!=' : '==', ours(ast.left), ours(ast.right)]
    case 'order':
      return [ast.op, ours(ast.left), ours(ast.right)]
    case 'in':
      return ['in', ours(ast.item), ours(ast.set)]
    case 'path':
      return ast.segments
        .slice(1)
        .reduce<Tree>((on, { name }) => ['.', on, name], ['id', ast.segments[0]?.name ?? ''])
    case 'list':
      return ['list', ...ast.items.map(ours)]
    case 'string':
    case 'bool':
      return ['value', ast.value]
    case 'int':
      return ['value', BigInt(ast.digits)]
    case 'null':
      return ['value', null]
    case 'exists':
    case 'can':
      throw new Error('calls are not generated here')
  }
}

function theirs(node: { op: string; args: unknown }): Tree {
  const { op, args } = node
  const all = (nodes: unknown): Tree[] => (nodes as { op: string; args: unknown }[]).map(theirs)
  if (op === 'value') return ['value', args as Tree]
  if (op === 'id') return ['id', String(args)]
  if (op === 'list') return ['list', ...all(args)]
  if (op === '!_') return ['!_', theirs(args as { op: string; args: unknown })]
  if (op === '-_') return ['value', -BigInt((args as { args: bigint }).args)]
  if (op === '.') {
    const [on, name] = args as [{ op: string; args: unknown }, string]
    return ['.', theirs(on), name]
  }
  return [op, ...all(args)]
}

const leaf = fc.oneof(
  fc.constantFrom(
    'resource.a',
    'principal.b',
    'mine',
    'true',
    'false',
    'null',
    '0',
    '-7',
    '42',
    '[]',
    '["a", "b"]'
  ),
  fc.constantFrom(`'it\\'s'`, `"a\\n\\"b\\u00e9\\\\"`, `"\\U0001F600"`, `'"'`)
)
const condition = fc.letrec<{ node: string }>(tie => ({
  node: fc.oneof(
    { depthSize: 'medium' },
    leaf,
    tie('node').map(one => `(${one})`),
    leaf.map(one => `!${one}`),
    tie('node').map(one => `!(${one})`),
    fc
      .tuple(leaf, fc.constantFrom('==', '!=', 'in', '<', '<=', '>', '>='), leaf)
      .map(parts => parts.join(' ')),
    fc
      .tuple(tie('node'), fc.constantFrom(' && ', ' || ', '&&', '\n||\n'), tie('node'))
      .map(parts => parts.join(''))
  )
})).node

t.test('what we accept, CEL reads the same way', async t => {
  t.comment(`seed ${SEED}`)
  let compared = 0
  fc.assert(
    fc.property(condition, text => {
      const mine = ours(parseCondition(text))
      const { ast } = parseCel(text) as unknown as { ast: { op: string; args: unknown } }
      compared += 1
      const show = (tree: Tree) =>
        JSON.stringify(tree, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
      return show(mine) === show(theirs(ast))
    }),
    { seed: SEED, numRuns: 3000 }
  )
  t.equal(compared, 3000)
})
