/** CPUID: leaves made once from the model, patched where they show live state. SDM vol 2A, CPUID */
import { XCR0 } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { CR4, GPR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { FEATURES, implementedFeatures } from './cpuid-features.ts';
import type { FeatureName } from './cpuid-features.ts';
import type { CacheLevel, CpuModel } from './models.ts';
import { DONE } from './status.ts';
import type { Status } from './status.ts';

export interface CpuidOptions {
  readonly model: CpuModel;
  readonly tscHz: number;
  readonly crystalHz: number;
  readonly hypervisorLeaf: boolean;
  readonly hasApic: boolean;
  readonly apicId: number;
  readonly add: readonly FeatureName[];
  readonly drop: readonly FeatureName[];
}

const EXTENDED = 0x8000_0000, HYPERVISOR = 0x4000_0000, HYPERVISOR_MAX = 0x4000_0010;
const HYPERVISOR_SIGNATURE = 'VMM in Wasm ';
const APIC_ENABLE = 0x800;
/** Offsets of the AVX and PKRU components in the standard XSAVE area. */
const XSAVE_AVX = 576, XSAVE_PKRU = 832;
/** Features that need an APIC. */
const APIC_FEATURES: ReadonlySet<FeatureName> = new Set<FeatureName>(['apic', 'x2apic', 'tsc_deadline', 'arat']);

/** CR4 bits that exist only with a feature. */
const CR4_BITS: readonly (readonly [FeatureName, number])[] = [
  ['vme', CR4.VME | CR4.PVI], ['tsc', CR4.TSD], ['de', CR4.DE], ['pse', CR4.PSE], ['pae', CR4.PAE], ['mce', CR4.MCE], ['pge', CR4.PGE],
  ['fxsr', CR4.OSFXSR], ['sse', CR4.OSXMMEXCPT], ['umip', CR4.UMIP], ['la57', CR4.LA57], ['fsgsbase', CR4.FSGSBASE], ['pcid', CR4.PCIDE],
  ['xsave', CR4.OSXSAVE], ['smep', CR4.SMEP], ['smap', CR4.SMAP], ['pku', CR4.PKE], ['pks', CR4.PKS],
];

type Registers = readonly [eax: number, ebx: number, ecx: number, edx: number];
const ZERO: Registers = [0, 0, 0, 0];

const leafKey = (leaf: number, subleaf: number): number => leaf * 256 + subleaf;

function textRegisters(text: string): number[] {
  return Array.from({ length: text.length / 4 }, (_, word) => [3, 2, 1, 0].reduce((value, byte) => value << 8 | text.charCodeAt(4 * word + byte), 0));
}

export class CpuidTable {
  readonly features: ReadonlySet<FeatureName>;
  /** CR4 bits that may be set. */
  readonly cr4Mask: number;
  readonly xcr0Mask: number;
  readonly #options: CpuidOptions;
  readonly #leaves = new Map<number, Registers>();

  constructor(options: CpuidOptions) {
    this.#options = options;
    this.features = this.#selectFeatures();
    this.cr4Mask = CR4_BITS.reduce((mask, [name, bits]) => this.has(name) ? mask | bits : mask, CR4.PCE);
    this.xcr0Mask = this.has('xsave') ? 3 | (this.has('avx') ? XCR0.AVX : 0) | (this.has('pku') ? XCR0.PKRU : 0) : 1;
    this.#addBasicLeaves();
    this.#addFeatureLeaves();
    this.#addExtendedLeaves();
    if (options.hypervisorLeaf) this.#addHypervisorLeaves();
  }

  has(name: FeatureName): boolean { return this.features.has(name); }

  /** What the model promises and nobody implements yet. */
  get missing(): readonly FeatureName[] { return this.#options.model.features.filter((name) => !implementedFeatures().has(name)); }

  lookup(leaf: number, subleaf: number): Registers {
    const { model } = this.#options;
    const isKnown = leaf >= EXTENDED ? leaf <= model.maxExtendedLeaf
      : leaf >= HYPERVISOR ? this.#options.hypervisorLeaf && leaf <= HYPERVISOR_MAX : leaf <= model.maxLeaf;
    // Beyond the last leaf Intel's CPUs answer with the highest basic one.
    const effective = isKnown ? leaf : model.maxLeaf;
    return this.#leaves.get(leafKey(effective, subleaf)) ?? this.#leaves.get(leafKey(effective, -1)) ?? ZERO;
  }

  #selectFeatures(): ReadonlySet<FeatureName> {
    const { model, hypervisorLeaf, hasApic, add, drop } = this.#options;
    const wanted = new Set<FeatureName>([...model.features, ...add, ...(hypervisorLeaf ? ['hypervisor'] as const : [])]);
    for (const name of wanted) if (!implementedFeatures().has(name) || drop.includes(name) || !hasApic && APIC_FEATURES.has(name)) wanted.delete(name);
    return wanted;
  }

  /** `subleaf` -1: the leaf ignores ECX. */
  #set(leaf: number, subleaf: number, ...registers: Registers): void { this.#leaves.set(leafKey(leaf, subleaf), registers); }

  #addBasicLeaves(): void {
    const { model, tscHz, crystalHz, apicId } = this.#options;
    const [v0, v1, v2] = textRegisters(model.vendor) as [number, number, number];
    this.#set(0, -1, model.maxLeaf, v0, v2, v1);
    const extendedModel = model.family >= 6 ? model.model >> 4 << 16 : 0;
    const clflushAndId = (this.has('clflush') ? 8 << 8 : 0) | 1 << 16 | apicId << 24;
    this.#set(1, -1, model.family << 8 | (model.model & 15) << 4 | model.stepping | extendedModel, clflushAndId, 0, 0);
    // Leaf 2: "see leaf 4", and 4 KiB TLBs.
    this.#set(2, -1, model.maxLeaf >= 4 ? 0x00ff_5a01 : 0x0302_0101, 0, 0, model.maxLeaf >= 4 ? 0 : 0x0c04_0843);
    model.caches.forEach((cache, index) => { this.#set(4, index, ...cacheRegisters(cache)); });
    // MONITOR's line, and no hints for MWAIT
    if (this.has('monitor')) this.#set(5, -1, 64, 64, 0, 0);
    this.#set(7, 0, ...ZERO);
    this.#set(0xb, 0, 0, 1, 0x100, apicId);
    this.#set(0xb, 1, 0, 1, 0x201, apicId);
    if (this.has('xsave')) this.#addXsaveLeaves();
    const denominator = 1000;
    this.#set(0x15, -1, denominator, Math.round(tscHz / crystalHz * denominator), crystalHz, 0);
    const mhz = Math.round(tscHz / 1e6);
    this.#set(0x16, -1, mhz, mhz, 100, 0);
  }

  #addXsaveLeaves(): void {
    this.#set(0xd, 0, this.xcr0Mask, 0, xsaveBytes(this.xcr0Mask, false), 0);
    this.#set(0xd, 1, 0, 0, 0, 0);
    if (this.has('avx')) this.#set(0xd, 2, 256, XSAVE_AVX, 0, 0);
    if (this.has('pku')) this.#set(0xd, 9, 8, XSAVE_PKRU, 0, 0);
  }

  #addFeatureLeaves(): void {
    for (const name of this.features) {
      const { leaf, subleaf, register, bit } = FEATURES[name];
      if (leaf < EXTENDED ? leaf > this.#options.model.maxLeaf : leaf > this.#options.model.maxExtendedLeaf) continue;
      const key = leafKey(leaf, this.#leaves.has(leafKey(leaf, subleaf)) || subleaf > 0 || leaf === 7 ? subleaf : -1);
      const [eax, ebx, ecx, edx] = this.#leaves.get(key) ?? ZERO;
      const set = (name: typeof register): number => name === register ? 1 << bit : 0;
      this.#leaves.set(key, [eax | set('eax'), ebx | set('ebx'), ecx | set('ecx'), edx | set('edx')]);
    }
  }

  #addExtendedLeaves(): void {
    const { model } = this.#options;
    this.#set(EXTENDED, -1, model.maxExtendedLeaf | 0, 0, 0, 0);
    const brand = textRegisters(model.brand.padEnd(48, '\0'));
    for (let index = 0; index < 3; index++) this.#set(EXTENDED + 2 + index, -1, ...brand.slice(4 * index, 4 * index + 4) as unknown as Registers);
    const l2 = model.caches.find((cache) => cache.level === 2);
    this.#set(EXTENDED + 6, -1, 0, 0, l2 ? l2.sizeKiB << 16 | 8 << 12 | 64 : 0, 0);
    this.#set(EXTENDED + 8, -1, model.linearBits << 8 | model.physicalBits, 0, 0, 0);
  }

  #addHypervisorLeaves(): void {
    const [s0, s1, s2] = textRegisters(HYPERVISOR_SIGNATURE) as [number, number, number];
    this.#set(HYPERVISOR, -1, HYPERVISOR_MAX, s0, s1, s2);
    // TSC and APIC bus frequency in kHz, where several hypervisors have agreed to put them.
    this.#set(HYPERVISOR_MAX, -1, Math.round(this.#options.tscHz / 1000), Math.round(this.#options.crystalHz / 1000), 0, 0);
  }
}

/** Bytes that XSAVE (or, compacted, XSAVEC) uses for these components. */
function xsaveBytes(components: number, compacted: boolean): number {
  const afterAvx = components & XCR0.AVX ? XSAVE_PKRU : XSAVE_AVX;
  return components & XCR0.PKRU ? (compacted ? afterAvx : XSAVE_PKRU) + 8 : afterAvx;
}

function cacheRegisters({ level, type, sizeKiB, ways }: CacheLevel): Registers {
  const lineBytes = 64;
  const sets = sizeKiB * 1024 / ways / lineBytes;
  const kind = { data: 1, instruction: 2, unified: 3 }[type];
  return [kind | level << 5 | 1 << 8, lineBytes - 1 | (ways - 1) << 22, sets - 1, 0];
}

/** Live bits: OSXSAVE, OSPKE, the APIC's software enable, the XSAVE area in use. */
export function cpuid(cpu: Cpu): Status {
  const { state } = cpu;
  const leaf = cpu.gprLo(GPR.RAX) >>> 0, subleaf = cpu.gprLo(GPR.RCX) >>> 0;
  const [eax, ebx, ecx, edx] = cpu.cpuid.lookup(leaf, subleaf);
  const cr4 = state.word(STATE.cr4);
  let liveEbx = ebx, liveEcx = ecx, liveEdx = edx;
  if (leaf === 1) {
    if (cr4 & CR4.OSXSAVE) liveEcx |= 1 << 27;
    if (cpu.apic && !(cpu.apic.apicBaseLow & APIC_ENABLE)) liveEdx &= ~(1 << 9);
  } else if (leaf === 7 && subleaf === 0 && cr4 & CR4.PKE) liveEcx |= 1 << 4;
  else if (leaf === 0xb && subleaf > 1) liveEcx = subleaf & 0xff;
  else if (leaf === 0xd && subleaf <= 1 && cpu.cpuid.has('xsave')) liveEbx = xsaveBytes(state.word(STATE.xcr0), subleaf === 1);
  cpu.setGpr32(GPR.RAX, eax);
  cpu.setGpr32(GPR.RBX, liveEbx);
  cpu.setGpr32(GPR.RCX, liveEcx);
  cpu.setGpr32(GPR.RDX, liveEdx);
  cpu.cpuidCache.note(leaf, subleaf, eax, liveEbx, liveEcx, liveEdx);
  return DONE;
}
