// Lets `import 'twinrule'` mean the sources of this repository, so that examples run without a build.
import { register } from 'node:module'

const own = JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)
const hook = `export const resolve = (name, context, next) =>
  name === 'twinrule' ? { url: ${own}, shortCircuit: true } : next(name, context)`
register(`data:text/javascript,${encodeURIComponent(hook)}`)
