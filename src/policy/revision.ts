import { createHash } from 'node:crypto'
import type { PrincipalAttribute } from '../ir/model.js'
import { keyOf, normalize, readableForm } from '../ir/normal-form.js'
import type { Type } from '../ir/types.js'
import { typeName } from '../ir/types.js'
import type { Resolved } from './resolve.js'

/**
 * The revision of a policy: SHA-256 (hex) of what it means and of the names that answers carry. Comments, order,
 * macros, traits and the split into files do not change it.
 */
export function revisionOf({ context, actions, principal, resources }: Resolved): string {
  const canonical = [
    'twinrule 1',
    ...(context === 'plain' ? [['context', context]] : []),
    ...actions.map(a => ['action', a.name, a.command ?? '']),
    ...principal.map(p => ['principal', p.name, fullType(p.type), ...sourceOf(p)]),
    ...resources.flatMap(resource => [
      ['resource', resource.name, resource.table ?? ''],
      ...resource.columns.map(c => ['column', c.name, fullType(c.type), c.nullable]),
      ...resource.rules.map(r => [
        'rule',
        r.id,
        r.effect,
        r.actions,
        keyOf(normalize(r.when)),
        keyOf(normalize(r.check))
      ]),
      ...resource.relations.map(r => [
        'relation',
        r.name,
        r.cardinality,
        r.table ?? '',
        r.local,
        r.remote,
        keyOf(readableForm(r)),
        ...r.columns.map(c => [c.name, fullType(c.type), c.nullable])
      ]),
      ['immutable', ...resource.immutable],
      ...resource.columnRules.map(r => [
        'column rule',
        r.columns,
        keyOf(normalize(r.when)),
        ...(r.through === null ? [] : [r.through])
      ]),
      ...(resource.softDelete === null ? [] : [['soft delete', resource.softDelete]]),
      ...(resource.deleteThrough === null ? [] : [['delete through', resource.deleteThrough]])
    ])
  ]
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex')
}

/** Where databases are, a role flag is always looked up. */
function sourceOf({ source, role }: PrincipalAttribute): readonly string[] {
  if (role === undefined) return [source, '']
  return ['lookup', role, ...(source === 'lookup' ? ['stored'] : [])]
}

function fullType(type: Type): readonly unknown[] {
  const scalar = type.kind === 'set' ? type.of : type
  return [typeName(type), scalar.kind, scalar.kind === 'enum' ? scalar.labels : []]
}
