import type { FactsQuery } from '../db/facts.js'
import type { Resource } from '../ir/model.js'
import { canonical } from '../ir/values.js'

/** The id of a row in the form that names it to the database, or null when it is not of the key's type. */
export function rowKey(resource: Resource | undefined, id: unknown): string | null {
  const key = resource?.columns.find(({ name }) => name === 'id')
  const value = key === undefined ? null : canonical(key.type, id)
  return value?.ok === true && value.value !== null ? String(value.value) : null
}

/** The facts that one request needs, each asked for once however many questions share it. */
export class FactsNeeded {
  readonly #subjects = new Map<string, { index: number; id: string; tenantId: string | null }>()
  readonly #resources = new Map<string, { index: number; type: string; id: string }>()

  /** Asks for a principal; the ids are lower case uuids. Returns its place in the answer. */
  subject(id: string, tenantId: string | null): number {
    const key = `${id}/${tenantId ?? ''}`
    const known = this.#subjects.get(key)
    if (known !== undefined) return known.index
    const index = this.#subjects.size
    this.#subjects.set(key, { index, id, tenantId })
    return index
  }

  /** Asks for a row by its `rowKey`. Returns its place in the answer. */
  resource(type: string, id: string): number {
    const key = `${id}/${type}`
    const known = this.#resources.get(key)
    if (known !== undefined) return known.index
    const index = this.#resources.size
    this.#resources.set(key, { index, type, id })
    return index
  }

  /** The one question to the database. */
  query(): FactsQuery {
    return {
      subjects: [...this.#subjects.values()].map(({ id, tenantId }) => ({ id, tenantId })),
      resources: [...this.#resources.values()].map(({ type, id }) => ({ type, id }))
    }
  }
}
