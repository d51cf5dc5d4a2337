import type { SqlMutant } from './mutants.js'

const REMOVER = /^twinrule_agents_remover$/
const SHARER = /^twinrule_agents_sharer$/
const USING = /USING \([\s\S]*\n {2}\)\n/

/** What holds the functions that write for applications. */
export const FUNCTION_MUTANTS: readonly SqlMutant[] = [
  { name: 'any row may be soft-deleted', object: REMOVER, from: USING, to: 'USING (true)\n' },
  {
    name: 'the administrator deletes without an entry',
    object: REMOVER,
    from: 'entered_platform_admin',
    to: 'context_is_platform_admin'
  },
  {
    name: 'soft_delete with the rights of the migration',
    object: /"soft_delete"/,
    from: 'OWNER TO "twinrule_remover"',
    to: 'OWNER TO CURRENT_USER'
  },
  {
    name: 'any row may be removed',
    object: /^twinrule_agents_remover_delete$/,
    from: /USING \([\s\S]*\);/,
    to: 'USING (true);'
  },
  {
    name: 'the administrator removes without an entry',
    object: /^twinrule_agents_remover_delete$/,
    from: 'entered_platform_admin',
    to: 'context_is_platform_admin'
  },
  {
    name: 'remove with the rights of the migration',
    object: /"remove"/,
    from: 'OWNER TO "twinrule_remover"',
    to: 'OWNER TO CURRENT_USER'
  },
  { name: 'any row may be shared', object: SHARER, from: USING, to: 'USING (true)\n' },
  {
    name: 'shared into any state',
    object: SHARER,
    from: /WITH CHECK \([\s\S]*\);/,
    to: 'WITH CHECK (true);'
  },
  { name: 'sharing with everybody', object: SHARER, from: /\n\s+AND "sharing_mode" <> 'global'/, to: '' },
  {
    name: 'share and its like with the rights of the migration',
    object: /"(?:un)?share(?:_globally)?"|"transfer"/,
    from: 'OWNER TO "twinrule_sharer"',
    to: 'OWNER TO CURRENT_USER'
  },
  {
    name: 'everybody sees what these functions see',
    object: /^twinrule_agents_writers$/,
    from: 'TO "twinrule_remover", "twinrule_sharer"',
    to: 'TO PUBLIC'
  }
]
