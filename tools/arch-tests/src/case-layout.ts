/**
 * One test case as bytes: an instruction with the whole user-visible state before it, or after it. The native runner (native-runner.c) reads and
 * writes the same layout. `xsave` is the standard XSAVE area: FXSAVE image, header, upper YMM halves.
 */
export const CASE = {
  codeLength: 0, code: 8, codeBytes: 24, flags: 32,
  /** Out: exception vector (0xffffffff none) and error code; bytes RIP moved. */
  vector: 40, errorCode: 44, rip: 48,
  gpr: 64, xsave: 192, xsaveBytes: 832, memory: 1024, memoryBytes: 256, sizeBytes: 1280,
} as const;

/** Offsets in the FXSAVE image. SDM vol 1 §10.5.1 */
export const FX = { control: 0, status: 2, tags: 4, mxcsr: 24, mxcsrMask: 28, st: 32, xmm: 160, header: 512, ymmHigh: 576 } as const;

export const NO_VECTOR = 0xffff_ffff;
/** Where both sides place code and the 256 bytes of data: the middle of a page whose neighbours are not mapped. */
export const CODE_ADDRESS = 0x1000_0000, DATA_PAGE = 0x2000_0000, DATA_ADDRESS = 0x2000_0800;

/** `RAX` … by encoding. */
export const GPR_NAMES = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const;

/** A case over its bytes. */
export class TestCase {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  constructor(bytes: Uint8Array = new Uint8Array(CASE.sizeBytes)) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  static blank(code: Uint8Array): TestCase {
    const test = new TestCase();
    test.view.setUint32(CASE.codeLength, code.length, true);
    test.bytes.set(code, CASE.code);
    test.view.setBigUint64(CASE.flags, 0x202n, true);
    test.view.setUint16(CASE.xsave + FX.control, 0x37f, true);
    test.view.setUint32(CASE.xsave + FX.mxcsr, 0x1f80, true);
    test.view.setUint32(CASE.xsave + FX.header, 7, true);
    test.setGpr(4, BigInt(DATA_ADDRESS + 128));
    test.setGpr(6, BigInt(DATA_ADDRESS));
    test.setGpr(7, BigInt(DATA_ADDRESS + 64));
    return test;
  }

  get code(): Uint8Array { return this.bytes.subarray(CASE.code, CASE.code + this.view.getUint32(CASE.codeLength, true)); }
  get vector(): number { return this.view.getUint32(CASE.vector, true); }
  get flags(): bigint { return this.view.getBigUint64(CASE.flags, true); }
  set flags(value: bigint) { this.view.setBigUint64(CASE.flags, value, true); }
  gpr(n: number): bigint { return this.view.getBigUint64(CASE.gpr + n * 8, true); }
  setGpr(n: number, value: bigint): void { this.view.setBigUint64(CASE.gpr + n * 8, value, true); }
  get fx(): Uint8Array { return this.bytes.subarray(CASE.xsave, CASE.xsave + CASE.xsaveBytes); }
  get memory(): Uint8Array { return this.bytes.subarray(CASE.memory, CASE.memory + CASE.memoryBytes); }
  /** Low 128 bits of a vector register. */
  xmm(n: number): Uint8Array { return this.bytes.subarray(CASE.xsave + FX.xmm + 16 * n, CASE.xsave + FX.xmm + 16 * n + 16); }
  ymmHigh(n: number): Uint8Array { return this.bytes.subarray(CASE.xsave + FX.ymmHigh + 16 * n, CASE.xsave + FX.ymmHigh + 16 * n + 16); }
  /** ST(i) (or, with TOP 0, MMi): 16 bytes of which 10 count. */
  st(i: number): Uint8Array { return this.bytes.subarray(CASE.xsave + FX.st + 16 * i, CASE.xsave + FX.st + 16 * i + 16); }
  get mxcsr(): number { return this.view.getUint32(CASE.xsave + FX.mxcsr, true); }
  set mxcsr(value: number) { this.view.setUint32(CASE.xsave + FX.mxcsr, value, true); }
  get fpuControl(): number { return this.view.getUint16(CASE.xsave + FX.control, true); }
  set fpuControl(value: number) { this.view.setUint16(CASE.xsave + FX.control, value, true); }
  get fpuStatus(): number { return this.view.getUint16(CASE.xsave + FX.status, true); }
  set fpuStatus(value: number) { this.view.setUint16(CASE.xsave + FX.status, value, true); }
  /** One bit a physical register, 1 = in use. */
  get fpuTags(): number { return this.view.getUint8(CASE.xsave + FX.tags); }
  set fpuTags(value: number) { this.view.setUint8(CASE.xsave + FX.tags, value); }
}
