import type { Bundle } from '../ir/model.js'
import { loadParser } from './read-back.js'
import { type ProofReport, worst } from './report.js'
import { type ProveOptions, proveResource } from './resource.js'

/**
 * Proves that the application and the emitted SQL decide alike, for every principal and row, without a database: the
 * reference interpreter, stock CASL with the portable rules, the compiled rules and the SQL text read back are asked
 * about every case there is. docs/proof.md says why these are all cases, and what a proof does not cover.
 */
export async function prove(bundle: Bundle, options: ProveOptions = {}): Promise<ProofReport> {
  const start = performance.now()
  const parse = await loadParser()
  const resources = bundle.resources.map(resource => proveResource(bundle, resource, parse, options))
  return {
    revision: bundle.revision,
    verdict: worst(resources.map(({ verdict }) => verdict)),
    resources,
    milliseconds: Math.round(performance.now() - start)
  }
}
