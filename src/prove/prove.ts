import type { Bundle } from '../ir/model.js'
import { noneAlike } from './alike.js'
import { securities } from './emitted.js'
import { type InvariantProgress, proveInvariants } from './invariants.js'
import { loadBodyParser } from './plpgsql.js'
import { loadParser } from './read-back.js'
import { invariantName, type ProofReport, worst } from './report.js'
import { MAX_MODELS, type ProveOptions, proveResource } from './resource.js'

/**
 * Proves that the application and the emitted SQL decide alike, for every principal and row, without a database: the
 * reference interpreter, stock CASL with the portable rules, the compiled rules and the SQL text read back are asked
 * about every case there is. Invariants of the policy are proved by the reference interpreter alone. docs/proof.md says
 * why these are all cases, and what a proof does not cover.
 */
export async function prove(bundle: Bundle, options: ProveOptions = {}): Promise<ProofReport> {
  const start = performance.now()
  const parse = await loadParser()
  const securityOf = securities(bundle, parse, options.emitted)
  const tools = { parse, parseBody: await loadBodyParser(), securityOf, alike: noneAlike() }
  const resources = bundle.resources.map(resource => proveResource(bundle, resource, tools, options))
  const tell = seldom((about, done, all) => options.onProgress?.(invariantName(about), done, all))
  const invariants = proveInvariants(bundle, options.maxModels ?? MAX_MODELS, tell)
  return {
    revision: bundle.revision,
    verdict: worst([...resources, ...invariants].map(({ verdict }) => verdict)),
    resources,
    invariants,
    milliseconds: Math.round(performance.now() - start)
  }
}

/** The milliseconds between two reports of progress. */
const PAUSE = 1000

/** Tells only what comes some time after the last that was told. */
function seldom(tell: InvariantProgress): InvariantProgress {
  let last = performance.now()
  return (about, done, all) => {
    if (performance.now() - last < PAUSE) return
    last = performance.now()
    tell(about, done, all)
  }
}
