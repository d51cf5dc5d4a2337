import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadTexts } from '../../src/policy/load.js'

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, '..', '..')

/** A fenced block of a document: its language, its text and the line on which it starts. */
export interface Block {
  readonly language: string
  readonly text: string
  readonly line: number
}

/** A document of the repository, as people read it. */
export interface Document {
  readonly file: string
  readonly text: string
  readonly blocks: readonly Block[]
}

/** Every document that is written by hand. */
export function documents(): readonly Document[] {
  const pages = readdirSync(join(ROOT, 'docs')).filter(name => name !== 'errors.md')
  const files = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'examples/README.md']
  return [...files, ...pages.map(name => `docs/${name}`)].map(file => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    return { file, text, blocks: blocksOf(text) }
  })
}

function blocksOf(text: string): readonly Block[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ 1: language, 2: body, index }) => ({
    language: language ?? '',
    text: body ?? '',
    line: text.slice(0, index).split('\n').length + 1
  }))
}

/** A policy that a document shows. A part without `version` gets a head around it, so that it can be compiled. */
export function policyOf({ language, text }: Block): string | null {
  // tests of a policy and what leakcheck asks are no policy
  if (language !== 'yaml' || /^(tests|requests):$/m.test(text)) return null
  if (text.startsWith('version: 1\n')) return text
  return /^resources:$/m.test(text) ? `version: 1\nprincipal: { id: uuid, tenant_id: uuid }\n${text}` : null
}

/** The mistakes of a policy as `twinrule check` prints them. */
export function mistakesIn(policy: string): string {
  const { problems } = loadTexts({ 'policies/prompts.yaml': policy })
  return problems
    .map(problem => `${problem}\n${problem.hint === undefined ? '' : `  hint: ${problem.hint}\n`}`)
    .join('')
}

/** The text outside of code, where links and headings count. */
export function prose({ text }: Document): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, code => 'x'.repeat(code.length))
}

/** The links of a document that lead nowhere. */
export function brokenLinks(document: Document): readonly string[] {
  return [...prose(document).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter(link => !/^[a-z]+:/.test(link) && !resolves(document, link))
}

function resolves({ file, text }: Document, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? join(ROOT, file) : join(ROOT, dirname(file), path)
  if (!existsSync(target)) return false
  if (anchor === undefined) return true
  const page = path === '' ? text : readFileSync(target, 'utf8')
  const headings = page.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)
  return [...headings].some(([, heading = '']) => slug(heading) === anchor)
}

/** The anchor that a heading gets on the usual forges. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}
