import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { demoDatabase, exampleBundle } from '../support/example.js'
import { documents } from './documents.js'

t.test('the example application prints what examples/README.md says', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const env = { ...process.env, APP_DATABASE_URL: database.url('twinrule_app') }
  const { stdout } = await promisify(execFile)(process.execPath, ['examples/node-app/app.mjs'], { env })
  const shown = documents()
    .find(({ file }) => file === 'examples/README.md')
    ?.blocks.find(({ language }) => language === 'text')
  t.equal(stdout, shown?.text)
})
