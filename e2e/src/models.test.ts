import { describe, expect, it } from 'vitest';
import { vmm } from './vmm.ts';

/** Model, guest, its name, and by Linux's names some flags that it has and the next model's that it has not. */
const MODELS = [
  ['pentium3', 'linux-i386', 'VMM virtual Pentium III', 'vme pse pge mtrr cmov mmx fxsr sse', 'clflush sse2 nx lm ssse3'],
  ['core2', 'linux-amd64', 'VMM virtual Core 2', 'clflush sse2 pni ssse3 monitor cx16 nx lm syscall', 'sse4_1 popcnt rdtscp x2apic'],
  ['x86-64-v2', 'linux-amd64', 'VMM virtual CPU, x86-64-v2', 'sse4_1 sse4_2 popcnt rdtscp pcid x2apic tsc_deadline_timer', 'avx bmi1 movbe rdrand'],
  ['x86-64-v3', 'linux-amd64', 'VMM virtual CPU, x86-64-v3', 'avx avx2 bmi1 bmi2 f16c fma abm movbe xsave aes rdrand fsgsbase smep invpcid', 'adx smap sha_ni pku umip'],
  ['host-like', 'linux-amd64', 'VMM virtual CPU, all features', 'adx smap sha_ni clwb pku ospke umip la57 rdpid xsaves serialize waitpkg movdir64b', 'vmx svm rtm avx512f'],
  ['x86-64-v3,-avx2,+pku', 'linux-amd64', 'VMM virtual CPU, x86-64-v3', 'avx fma pku', 'avx2 umip'],
] as const;

describe('Linux on a CPU model', () => {
  it.each(MODELS)('boots on %s, and /proc/cpuinfo of %s says what the model says', async (model, guest, name, has, lacks) => {
    const { code, stdout, stderr } = await vmm(['run', '--guest', guest, '--cpu', model], { input: 'cat /proc/cpuinfo; poweroff\n' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(/^model name\t: (.*)\r$/m.exec(stdout)?.[1]).toBe(name);
    const flags = new Set(/^flags\t\t: (.*)\r$/m.exec(stdout)?.[1]?.split(' '));
    expect(has.split(' ').filter((flag) => !flags.has(flag))).toEqual([]);
    expect(lacks.split(' ').filter((flag) => flags.has(flag))).toEqual([]);
  });
});
