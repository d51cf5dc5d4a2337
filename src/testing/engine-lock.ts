import type { Engine } from '../engine/engine.js'
import type { Answer } from '../engine/request.js'
import type { TestCase } from './case.js'
import type { Fixtures } from './fixtures.js'
import { type Lock, requestOf } from './lock.js'

/** The engine in this process. */
export function engineLock(engine: Engine): Lock {
  return {
    name: 'in process',
    async ask({ cases, fixtures }) {
      return cases.map(one => {
        const { decision, context } = decideCase(engine, one, fixtures)
        return { decision, detail: context.reason, code: context.code, rule: context.rule }
      })
    }
  }
}

/** The engine's answer to one question. A tenant that is not active has no members, whatever the rules say. */
export function decideCase(engine: Engine, one: TestCase, fixtures: Fixtures): Answer {
  if (one.who.attributes === null) {
    return engine.deny('not_a_member', 'the tenant is not active, so it has no members')
  }
  return engine.decide(requestOf(one, fixtures))
}
