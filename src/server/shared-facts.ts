import type { Facts, FactsQuery, FactsReader } from '../db/facts.js'
import { DatabaseError } from '../errors/errors.js'

/** What the decider reads facts with. */
export type FactsRead = Pick<FactsReader, 'read'>

/** Subjects and resources that one statement is asked for; who wants more gets a statement of its own. */
const MOST = 128

/** Reads that wait to be sent together. */
interface Group {
  readonly revision: string
  readonly queries: FactsQuery[]
  /** Subjects and resources of all of them. */
  size: number
  readonly facts: Promise<Facts>
}

/**
 * Reads the facts of all requests that arrive in one turn of the event loop with one statement: under load most of a
 * short statement is its way there and back, and many requests have the same subject.
 *
 * Nothing is kept. A statement is sent after all requests that it is for have arrived, so nobody gets facts from before
 * the own question, and who is alone waits for nobody. When it fails, it fails for all of them.
 *
 * Whether the facts are of the subjects and rows of a request is for the decider to see, request by request.
 */
export function shareReads(reader: FactsRead): FactsRead {
  let waiting: Group | null = null

  function open(revision: string): Group {
    const queries: FactsQuery[] = []
    const send = async (): Promise<Facts> => {
      if (waiting === group) waiting = null
      const query = merged(queries)
      const facts = await reader.read(query, revision)
      if (!fits(query, facts)) {
        throw new DatabaseError('TWR_DB_FAULT', 'the facts are not those that were asked for')
      }
      return facts
    }
    // behind everything that the sockets have brought in this turn
    const facts = new Promise<Facts>(resolve => setImmediate(() => resolve(send())))
    const group: Group = { revision, queries, size: 0, facts }
    return group
  }

  return {
    async read(query, revision) {
      const size = query.subjects.length + query.resources.length
      if (waiting === null || waiting.revision !== revision || waiting.size + size > MOST) {
        waiting = open(revision)
      }
      const group = waiting
      const place = { subjects: 0, resources: 0 }
      for (const { subjects, resources } of group.queries) {
        place.subjects += subjects.length
        place.resources += resources.length
      }
      group.queries.push(query)
      group.size += size
      const { principals, rows } = await group.facts
      return {
        principals: principals.slice(place.subjects, place.subjects + query.subjects.length),
        rows: rows.slice(place.resources, place.resources + query.resources.length)
      }
    }
  }
}

/** safety: with one fact more or less, every place behind it would be that of another request. */
function fits({ subjects, resources }: FactsQuery, facts: Partial<Facts> | null | undefined): boolean {
  return facts?.principals?.length === subjects.length && facts.rows?.length === resources.length
}

function merged(queries: readonly FactsQuery[]): FactsQuery {
  return {
    subjects: queries.flatMap(({ subjects }) => subjects),
    resources: queries.flatMap(({ resources }) => resources)
  }
}
