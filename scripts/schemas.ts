import { writeFileSync } from 'node:fs'
import { EXPLANATION_SCHEMA } from '../src/engine/explain/schema.js'
import { LEAKCHECK_SCHEMA } from '../src/leakcheck/schema.js'
import { POLICY_SCHEMA } from '../src/policy/schema.js'
import { TEST_SCHEMA } from '../src/testing/schema.js'

const SCHEMAS = {
  policy: POLICY_SCHEMA,
  'policy-test': TEST_SCHEMA,
  explanation: EXPLANATION_SCHEMA,
  leakcheck: LEAKCHECK_SCHEMA
}

// Writes the JSON Schemas that are shipped: editors complete from them. A test holds that the files are what the sources say.
for (const [name, schema] of Object.entries(SCHEMAS)) {
  const target = new URL(`../schema/${name}.schema.json`, import.meta.url)
  writeFileSync(target, `${JSON.stringify(schema, null, 2)}\n`)
}
