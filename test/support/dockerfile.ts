import { InternalError } from '../../src/errors/errors.js'

/** One instruction, with continuation lines joined and `ARG` values filled in. */
export interface Instruction {
  readonly name: string
  readonly rest: string
}

/** A build stage of a Dockerfile. */
export interface Stage {
  readonly image: string
  readonly name: string
  readonly steps: readonly Instruction[]
}

const KNOWN = ['ENV', 'WORKDIR', 'COPY', 'RUN', 'USER', 'EXPOSE', 'HEALTHCHECK', 'CMD']

/** The stages of a Dockerfile that uses only the instructions which the replay understands. */
export function parseDockerfile(text: string): readonly Stage[] {
  const args = new Map<string, string>()
  const stages: { image: string; name: string; steps: Instruction[] }[] = []
  for (const { name, rest } of instructions(text)) {
    const stage = stages.at(-1)
    if (name === 'ARG') {
      const [key = '', value = ''] = rest.split('=')
      args.set(key, value)
    } else if (name === 'FROM') {
      const [image = '', , alias = ''] = rest.split(/\s+/)
      stages.push({ image: fill(image, args), name: alias, steps: [] })
    } else if (stage === undefined || !KNOWN.includes(name)) {
      throw new InternalError(`the replay does not know ${name}`)
    } else stage.steps.push({ name, rest })
  }
  return stages
}

/** The rest of the last instruction of that name in a stage. */
export function lastOf(stage: Stage, name: string): string {
  return stage.steps.findLast(step => step.name === name)?.rest ?? ''
}

/** The JSON form of CMD, as an argument list. @throws SyntaxError for the shell form */
export function execForm(text: string): readonly string[] {
  return JSON.parse(text.slice(text.indexOf('['))) as string[]
}

/** The variables of a stage's ENV instructions. */
export function envOf(stage: Stage): Record<string, string> {
  const pairs = stage.steps.filter(({ name }) => name === 'ENV').flatMap(({ rest }) => rest.split(/\s+/))
  return Object.fromEntries(pairs.map(pair => pair.split('=') as [string, string]))
}

/** The paths that .dockerignore lets through, when it ignores everything else. */
export function allowedByIgnore(text: string): readonly string[] {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  if (lines[0] !== '*') throw new InternalError('.dockerignore must ignore everything first')
  return lines.slice(1).map(line => line.slice(1))
}

function instructions(text: string): readonly Instruction[] {
  const joined = text
    .split('\n')
    .filter(line => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
  return joined
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(line => {
      const [name = '', ...rest] = line.split(' ')
      return { name, rest: rest.join(' ').trim() }
    })
}

function fill(text: string, args: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (_, key: string) => args.get(key) ?? '')
}
