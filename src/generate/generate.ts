import { caslTemplates } from '../backends/casl.js'
import type { Bundle } from '../ir/model.js'
import { diagram } from './diagram.js'
import { matrixHtml, matrixMarkdown } from './matrix-text.js'
import { policyTypes } from './types.js'

/** The views of a policy by the name of their file. The same policy gives the same bytes. Pure. */
export function views(bundle: Bundle): Readonly<Record<string, string>> {
  return {
    'access.html': matrixHtml(bundle),
    'access.md': matrixMarkdown(bundle),
    'casl.json': `${JSON.stringify(caslTemplates(bundle), null, 2)}\n`,
    'policy.ts': policyTypes(bundle),
    'resources.mmd': diagram(bundle)
  }
}
