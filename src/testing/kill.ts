import type { PolicyMutant } from '../analysis/mutants.js'
import { anyOf } from '../analysis/sorts.js'
import { compilePredicate } from '../backends/compiled.js'
import { createEngine, type Engine } from '../engine/engine.js'
import type { Values } from '../ir/evaluate.js'
import type { Condition } from '../ir/formula.js'
import { type Gate, gateConditions, gateForm } from '../ir/gates.js'
import { ACTIONS, type Column, type Resource, resourceOf } from '../ir/model.js'
import type { Value } from '../ir/values.js'
import { structureOf } from '../prove/structure.js'
import type { TestFile } from './file.js'
import { type OwnCase, type OwnTelling, tells } from './kill-case.js'
import { type Telling, tellingKnown } from './kill-known.js'
import { type Difference, differences, forEachCase, textOf } from './kill-model.js'

/** What would tell a mutant from the policy. */
export type Kill =
  /** A question about rows that the tests have. */
  | { readonly kind: 'known'; readonly telling: Telling }
  /** A question about a principal and a row of its own. */
  | { readonly kind: 'own'; readonly telling: OwnTelling }
  /** Every small case was tried: the two decide alike. */
  | { readonly kind: 'same' }
  | { readonly kind: 'not found' }

/** Finds the smallest test that a mutant would fail. */
export function killOf(engine: Engine, mutant: PolicyMutant, files: readonly TestFile[]): Kill {
  const other = createEngine(mutant.bundle)
  const known = tellingKnown(engine, other, files)
  if (known !== null) return { kind: 'known', telling: known }
  let complete = true
  const searched = new Set<string>()
  for (const name of affected(engine, mutant)) {
    // what tells nothing of one resource tells nothing of others that differ from it in names
    const structure = structureOf([engine, other].map(one => unnamed(one, name)))
    if (searched.has(structure)) continue
    searched.add(structure)
    const search = new ModelSearch(engine, other, name)
    const telling = search.run()
    if (telling !== null) return { kind: 'own', telling }
    complete = complete && search.isComplete
  }
  return complete ? { kind: 'same' } : { kind: 'not found' }
}

function unnamed({ bundle }: Engine, resource: string): Omit<Resource, 'name'> {
  const { name: _, ...rest } = resourceOf(bundle, resource) as Resource
  return rest
}

/** The changed resources, and those whose related rows they hold. */
function affected({ bundle }: Engine, { resources }: PolicyMutant): readonly string[] {
  const tables = resources
    .map(name => resourceOf(bundle, name)?.table ?? null)
    .filter(table => table !== null)
  const related = bundle.resources.filter(({ relations }) =>
    relations.some(({ table, readable }) => readable !== null && table !== null && tables.includes(table))
  )
  return [...new Set([...resources, ...related.map(({ name }) => name)])]
}

/** Questions that are tried at most where two rows are looked for. */
const MAX_PAIRS = 600

/** The search for a small case on one resource. */
class ModelSearch {
  readonly #engine: Engine
  readonly #other: Engine
  readonly #resource: Resource
  readonly #mutant: Resource
  readonly #now = Date.now() * 1000
  isComplete = true

  constructor(engine: Engine, other: Engine, name: string) {
    this.#engine = engine
    this.#other = other
    this.#resource = resourceOf(engine.bundle, name) as Resource
    this.#mutant = resourceOf(other.bundle, name) as Resource
  }

  run(): OwnTelling | null {
    const { found, complete } = differences(this.#engine.bundle, this.#resource, this.#mutant, this.#now)
    // what differs in a gate and in no question shows that the search is too narrow, not that nothing differs
    this.isComplete = complete && found.length === 0 && !this.#guardsDiffer()
    for (const difference of found) {
      const telling = this.#ofGate(difference)
      if (telling !== null) return telling
    }
    return this.#guardsDiffer() ? this.#ofGuards() : null
  }

  #tells(test: Omit<OwnCase, 'resource'>): OwnTelling | null {
    return tells(this.#engine, this.#other, { ...test, resource: this.#resource })
  }

  #ofGate(difference: Difference): OwnTelling | null {
    const { gate, person, row } = difference
    if (gate === 'update' || gate === 'update_new') return this.#ofUpdate(difference, gate)
    const action = ACTIONS.find(one => one === gate) ?? gate.slice('action:'.length)
    return this.#tells({ person, action, row, changes: null })
  }

  /** An update has two rows: the other half must be open, or nothing could be told. */
  #ofUpdate({ person, row }: Difference, gate: 'update' | 'update_new'): OwnTelling | null {
    const alone = this.#tells({ person, action: 'update', row, changes: null })
    if (alone !== null) return alone
    for (const half of this.#rowsOf(gate === 'update' ? 'update_new' : 'update')) {
      const other = { ...row, ...half }
      const [old, next] = gate === 'update' ? [row, other] : [other, row]
      const changes = this.#changed(old, next)
      const telling = changes === null ? null : this.#tells({ person, action: 'update', row: old, changes })
      if (telling !== null) return telling
    }
    return null
  }

  /** The columns in which two rows differ; null where they lead to related rows, which nobody has here. */
  #changed(old: Values, next: Values): Values | null {
    const { columns, relations } = this.#resource
    const names = columns
      .map(({ name }) => name)
      .filter(name => name !== 'id' && textOf(old[name]) !== textOf(next[name]))
    if (names.length === 0 || relations.some(({ local }) => names.includes(local))) return null
    return Object.fromEntries(names.map(name => [name, next[name] ?? null]))
  }

  #rowsOf(gate: Gate): readonly Values[] {
    return this.#openCases(gate, []).map(({ row }) => row)
  }

  /** Cases in which one of the two policies opens a gate; what `more` reads has its values too. */
  #openCases(
    gate: Gate,
    more: readonly Condition[]
  ): readonly Omit<OwnCase, 'resource' | 'action' | 'changes'>[] {
    const kept = new Map<string, Omit<OwnCase, 'resource' | 'action' | 'changes'>>()
    const both = [this.#resource, this.#mutant]
    const conditions = [...both.flatMap(one => gateConditions(one, gate)), ...more]
    const opens = both.map(one => compilePredicate(gateForm(one, gate)))
    forEachCase(this.#engine.bundle, this.#resource, conditions, this.#now, ({ person, row }) => {
      if (kept.size >= MAX_PAIRS || !opens.some(open => open(person.values, row, this.#now))) return
      kept.set(textOf([person.values, row]), { person, row: structuredClone(row) })
    })
    return [...kept.values()]
  }

  #guardsDiffer(): boolean {
    const of = ({ immutable, columnRules }: Resource) => textOf([immutable, columnRules])
    return of(this.#resource) !== of(this.#mutant)
  }

  /** A change of a guarded column that one policy lets pass. */
  #ofGuards(): OwnTelling | null {
    const { immutable, columnRules, columns } = this.#resource
    const guarded = new Set([...immutable, ...columnRules.flatMap(rule => rule.columns)])
    const more = [...gateConditions(this.#resource, 'update_new'), ...columnRules.map(({ when }) => when)]
    for (const { person, row } of this.#openCases('update', more)) {
      for (const column of columns.filter(({ name }) => guarded.has(name))) {
        for (const value of otherValues(column, row)) {
          const changes = { [column.name]: value }
          const telling = this.#tells({ person, action: 'update', row, changes })
          if (telling !== null) return telling
        }
      }
    }
    return null
  }
}

function otherValues({ name, type, nullable }: Column, row: Values): readonly Value[] {
  const scalar = type.kind === 'set' ? type.of : type
  const scalars = [1, 2, 0xfffc].map(n => anyOf(scalar, n))
  const values: readonly Value[] = type.kind === 'set' ? [[], ...scalars.map(one => [one])] : scalars
  return [...values, ...(nullable ? [null] : [])].filter(value => textOf(value) !== textOf(row[name]))
}
