// Lets `import 'twinrule'` mean the sources of this repository, so that examples run without a build.
import { register } from 'node:module'

const source = file => new URL(`../../src/${file}`, import.meta.url).href
const own = JSON.stringify({ twinrule: source('index.ts'), 'twinrule/client': source('client.ts') })
const hook = `const own = ${own}
export const resolve = (name, context, next) =>
  Object.hasOwn(own, name) ? { url: own[name], shortCircuit: true } : next(name, context)`
register(`data:text/javascript,${encodeURIComponent(hook)}`)
