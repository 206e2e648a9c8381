import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyMode } from './symbolic-mode.ts';

/** Answers of the library that buildkitd v0.34.2 uses. */
test.each<[string, number, boolean, number]>([
  ['u=rwx,go=rX', 0o644, false, 0o744],
  ['u=rwx,go=rX', 0o744, false, 0o755],
  ['u=rwx,go=rX', 0o644, true, 0o755],
  ['0755', 0o600, false, 0o755],
  ['a=rX', 0o600, true, 0o555],
  ['g=u', 0o640, false, 0o660],
  ['u+s,+t', 0o755, false, 0o5755],
  ['u=rw,g=r,o=', 0o777, false, 0o640],
  ['u+w=u', 0o1211, false, 0o1211],
  ['u=r+r,+', 0o3644, true, 0o3444],
  ['ao+ru+s,a=', 0o2213, true, 0o0000],
  ['-t,o+', 0o7334, false, 0o6334],
  ['oa+X,uu++Xs', 0o2123, false, 0o6133],
  ['ug-g+swt', 0o0650, false, 0o7220],
  ['og=uxu,a=g,uu+', 0o1702, true, 0o1777],
  ['+tX+sr', 0o4444, false, 0o7444],
  ['ua=gu+', 0o6136, false, 0o6333],
  ['ua-X', 0o2773, true, 0o2662],
  ['g-sX', 0o7444, false, 0o5444],
  ['g-r,uu-', 0o4235, true, 0o4235],
  ['o=+uo,og=sgo', 0o0453, true, 0o2400],
  ['o+=,-u=ru', 0o4460, false, 0o0444],
  ['oo=oto=tX,o-w-', 0o6270, true, 0o6271],
  ['ug+sx,-sx', 0o5400, true, 0o1400],
  ['u+st=Xr,og=t', 0o5315, true, 0o1500],
  ['-,+sw', 0o4663, true, 0o6663],
  ['a=XXt,-g+utt', 0o5626, true, 0o1000],
  ['ga-sso+o,+ttt', 0o1723, false, 0o1400],
  ['g+s=X,+', 0o3470, true, 0o1410],
  ['+,+r=wrx,aa-w', 0o4473, true, 0o0555],
  ['gg-,+tto+', 0o2322, false, 0o3322],
  ['-,=sg=,ua+x+', 0o1331, true, 0o1111],
  ['=x,+sX,go=wsr', 0o5735, true, 0o7166],
  ['g+,+rr+,g=gX-', 0o1520, false, 0o1574],
])('%s of mode %i (directory: %s)', (text, mode, directory, expected) => {
  expect(applyMode(text, mode, directory).toString(8)).toBe(expected.toString(8));
});

test.each(['u~x', 'u', '', 'u+x,', ',u+x', 'u+z', '9', '0o7', '-'.repeat(3).concat('q')])('%j is no mode', (text) => {
  expect(() => applyMode(text, 0, false)).toThrow(/^invalid mode/);
});

test('what chmod(1) does, where it and BSD agree: no sticky bit, no set-id bits, X on the mode as it was', () => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-mode-'));
  try {
    const who = fc.constantFrom('', 'a', 'u', 'g', 'o', 'ug', 'uo', 'go', 'ugo');
    const operator = fc.constantFrom('+', '-', '=');
    const letters = (all: string) => fc.array(fc.constantFrom(...all), { maxLength: 3 }).map((list) => list.join(''));
    const copies = fc.constantFrom('u', 'g', 'o');
    const first = fc.tuple(who, operator, fc.oneof(letters('rwxX'), copies)).map((parts) => parts.join(''));
    const next = fc.tuple(who, operator, fc.oneof(letters('rwx'), copies)).map((parts) => parts.join(''));
    const text = fc.tuple(first, fc.array(next, { maxLength: 2 })).map(([one, more]) => [one, ...more].join(','));
    const cases = fc.sample(fc.tuple(text, fc.integer({ min: 0, max: 0o777 }), fc.boolean()), 300);
    const script = cases.map(([mode, before, isDirectory], i) => {
      const path = join(directory, `${i}`);
      if (isDirectory) mkdirSync(path);
      else writeFileSync(path, '');
      chmodSync(path, before);
      return `chmod -- ${mode} ${path}`;
    });
    execFileSync('/bin/sh', { input: `umask 0\n${script.join('\n')}\n` });
    for (const [i, [mode, before, isDirectory]] of cases.entries()) {
      const there = statSync(join(directory, `${i}`)).mode & 0o7777;
      expect(`${mode} ${applyMode(mode, before, isDirectory).toString(8)}`).toBe(`${mode} ${there.toString(8)}`);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
