import { writeFileSync } from 'node:fs'
import { POLICY_SCHEMA } from '../src/policy/schema.js'

// Writes the JSON Schema that editors complete from. A test holds that the file is what the source says.
const target = new URL('../schema/policy.schema.json', import.meta.url)
writeFileSync(target, `${JSON.stringify(POLICY_SCHEMA, null, 2)}\n`)
