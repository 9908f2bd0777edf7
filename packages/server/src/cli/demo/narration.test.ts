import { expect, it } from 'vitest'
import { counted, inert, Narrator, wrapped } from './narration.ts'

const told = (tell: (narrator: Narrator) => void, options: { color?: boolean; width?: number } = {}) => {
  const lines: string[] = []
  tell(new Narrator({ out: (line) => lines.push(line), color: options.color ?? false, width: options.width ?? 80, elapsed: () => 1.25 }))
  return lines
}

it('who, progress and text stand in columns, and longer texts go on below their own', () => {
  const lines = told((narrator) => {
    narrator.say('proposer', 'proposes')
    narrator.showProgress(4, 12)
    narrator.say('magpie', 'hands in '.repeat(12).trim(), 'good')
  })
  expect(lines).toEqual([
    ' 1.3s  proposer         proposes',
    ' 1.3s  magpie   4/12  ✓ hands in hands in hands in hands in hands in hands in',
    '                        hands in hands in hands in hands in hands in hands in',
  ])
})

it('no line is longer than the width, however long a word is', () => {
  const lines = told(
    (narrator) => {
      narrator.chapter('c'.repeat(300))
      narrator.say('somebody with a long name', `node_modules/${'deep/'.repeat(40)}LICENSE and ${'x'.repeat(200)}`, 'refused')
      narrator.summary('the end', [['label', 'y'.repeat(300)]])
    },
    { width: 60 },
  )
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60)
  expect(lines.join('').replaceAll(' ', '')).toContain('y'.repeat(30))
})

it('a path breaks behind a slash', () => {
  expect(wrapped('in node_modules/@scope/package/LICENSE', 20)).toEqual(['in', 'node_modules/@scope/', 'package/LICENSE'])
})

it('a command to copy stays on one line', () => {
  const command = `npx work-manager approve ${'0'.repeat(80)}`
  expect(told((narrator) => narrator.command(command))).toEqual([`    ${command}`])
})

it('text of others cannot steer the terminal, whichever way it comes in', () => {
  const evil = '\u001b[2Jgone\u202e\r\nnext\u0007'
  const lines = told((narrator) => {
    narrator.chapter(evil)
    narrator.say(evil, evil, 'refused')
    narrator.summary('s', [['l', evil]])
    narrator.command(evil)
  })
  // oxlint-disable-next-line no-control-regex
  expect(lines.join('')).not.toMatch(/[\u0000-\u001f\u007f\u202e]/)
  expect(inert(evil)).toBe('⟦U+001B⟧[2Jgone⟦U+202E⟧ next⟦U+0007⟧')
})

it('colours appear only when asked for, and carry no meaning of their own', () => {
  const story = (narrator: Narrator) => {
    narrator.showProgress(1, 2)
    narrator.say('magpie', 'refused', 'refused')
    narrator.say('magpie', 'accepted', 'good')
  }
  const coloured = told(story, { color: true })
  expect(coloured.join('')).toContain('\u001b[')
  // oxlint-disable-next-line no-control-regex
  expect(coloured.map((line) => line.replaceAll(/\u001b\[\d+m/g, ''))).toEqual(told(story))
  expect(told(story)[0]).toContain('✗')
})

it('counts agree with their noun', () => {
  expect([counted(1, 'item'), counted(0, 'item'), counted(1234, 'event')]).toEqual(['1 item', '0 items', '1,234 events'])
})
