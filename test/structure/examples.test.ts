import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { contextKeyText } from '../../src/db/context-token.js'
import { demoDatabase, exampleBundle, TEST_KEY } from '../support/example.js'
import { documents } from './documents.js'

/** The package imports itself by its name, which means its build: here it means the sources. */
const OWN_SOURCES = ['--import', '@tapjs/typescript/import', '--import', './test/support/own-sources.mjs']

t.test('the example application prints what examples/README.md says', async t => {
  const database = await demoDatabase(t, await exampleBundle())
  const env = {
    ...process.env,
    APP_DATABASE_URL: database.url('twinrule_app'),
    TWINRULE_CONTEXT_KEY: contextKeyText(TEST_KEY)
  }
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...OWN_SOURCES, 'examples/node-app/app.mjs'],
    { env }
  )
  const shown = documents()
    .find(({ file }) => file === 'examples/README.md')
    ?.blocks.find(({ language }) => language === 'text')
  t.equal(stdout, shown?.text)
})
