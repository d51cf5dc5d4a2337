import { CATALOG_FORMAT, type Catalog } from '../db/catalog/item.js'
import type { Bundle } from '../ir/model.js'
import type { Parser } from '../prove/read-back.js'
import { differencesOf, type Reading } from './differences.js'
import { type Expected, expectedOf } from './expected.js'
import type { DriftFinding } from './finding.js'
import { findingsOf } from './judge.js'
import type { Compared, Judged } from './look.js'
import { judgedPolicy, type PolicyOptions } from './policies.js'
import { openNotes, otherRevision, ownedByOurs, recordFindings, withoutRecord } from './record.js'
import { typesOf } from './types.js'
import { byKey, type Objects, type Wanted, wantedOf } from './wanted.js'

/** Compares a catalog with a policy and with the record of the last migration. Only computes. */
export type Comparer = (compared: Compared) => Judged

/** @param maxModels the most cases that are compared for a policy whose text was changed */
export function createComparer(bundle: Bundle, parse: Parser, maxModels: number): Comparer {
  const compiled = expectedOf(bundle, parse)
  return ({ live, installed, ...given }) => {
    const expected = installed === bundle.revision ? compiled : null
    const written = given.record?.format === CATALOG_FORMAT ? given.record : null
    if (expected === null && written === null) {
      return { findings: [otherRevision(bundle, installed)], notes: [] }
    }
    const record = written === null ? null : asPrintedBy(live.server, written)
    const recorded = byKey(record?.items ?? [])
    const reading: Reading = { parse, typesOf: typesOf(bundle, compiled.returns) }
    const wanted = wantedOf({ bundle, expected, record, live })
    const judged = judge(live, wanted, {
      bundle,
      reading,
      maxModels,
      recorded: (name, clause) => (recorded.get(`policy ${name}`)?.facts[clause] ?? null) as string | null
    })
    const findings = [
      ...(expected === null ? [otherRevision(bundle, installed)] : []),
      ...(record === null ? [withoutRecord(given.record !== null)] : []),
      // what another version of the server printed cannot be held against the record
      ...(expected === null || record?.server !== live.server
        ? []
        : recordFindings({ bundle, expected, record }, reading)),
      ...ownedByOurs(bundle, live),
      ...judged.findings.filter(one => !saidOfTable(one, compiled) && (record !== null || !needsRecord(one)))
    ]
    return {
      findings: findings.sort(errorsFirst),
      notes: [...judged.notes, ...openNotes(bundle, live, record)]
    }
  }
}

/** What PostgreSQL prints, in words that may change with its version. */
const PRINTED = ['definition', 'using', 'check', 'body', 'arguments', 'returns']

/** A record without what another version of the server would print otherwise. */
function asPrintedBy(server: number, record: Catalog): Catalog {
  if (record.server === server) return record
  const items = record.items.map(item => {
    const facts = Object.entries(item.facts).filter(([name]) => !PRINTED.includes(name))
    return { ...item, facts: Object.fromEntries(facts) }
  })
  return { ...record, items }
}

function judge(live: Catalog, wanted: Objects<Wanted>, options: PolicyOptions): Judged {
  const judged = differencesOf(wanted, byKey(live.items), options.reading).map(one =>
    one.what === 'changed' && one.wanted.kind === 'policy'
      ? judgedPolicy(one, options)
      : { findings: findingsOf(one), notes: [] }
  )
  return {
    findings: judged.flatMap(({ findings }) => findings),
    notes: judged.flatMap(({ notes }) => notes)
  }
}

/** A table of the policy without row-level security is open too, which need not be said twice. */
function saidOfTable({ kind, object }: DriftFinding, { items }: Expected): boolean {
  return kind === 'open relation' && items.some(item => item.kind === 'table' && item.name === object)
}

/** Without a record nobody can tell what of this is new. That there is none is a finding by itself. */
function needsRecord({ kind, found }: DriftFinding): boolean {
  if (found === null) return false
  return ['table', 'trigger', 'rule', 'event trigger'].includes(kind) && found === 'there'
}

function errorsFirst(a: DriftFinding, b: DriftFinding): number {
  if (a.severity !== b.severity) return a.severity === 'error' ? -1 : 1
  return a.code.localeCompare(b.code) || a.object.localeCompare(b.object)
}
