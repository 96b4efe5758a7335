import { assemble } from '@vmm/assembler';
import { invariant } from '@vmm/spec';
import { BENCH_SOURCE } from './bench.asm.ts';
import { BOOT_SOURCE } from './boot.asm.ts';
import { GATES_SOURCE, INTERRUPTS_SOURCE } from './interrupts.asm.ts';
import { LAYOUT, layoutSymbols } from './layout.ts';
import { MONITOR_SOURCE } from './monitor.asm.ts';
import { REPORT_SOURCE } from './report.asm.ts';
import { textsSource } from './texts.asm.ts';

/** Assembles the kernel's image, multiboot 1. */
export function linkKernel(): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(LAYOUT.LOAD_END - LAYOUT.BOOT);
  place(image, LAYOUT.BOOT, LAYOUT.MONITOR32, assembleAt(LAYOUT.BOOT, BOOT_SOURCE));
  place(image, LAYOUT.MONITOR32, LAYOUT.MONITOR64, assembleAt(LAYOUT.MONITOR32, monitorSource(32)));
  place(image, LAYOUT.MONITOR64, LAYOUT.LOAD_END, assembleAt(LAYOUT.MONITOR64, monitorSource(64)));
  return image;
}

function assembleAt(origin: number, source: string): Uint8Array {
  return assemble(source, { org: origin, bits: 32, symbols: layoutSymbols() }).bytes;
}

function place(image: Uint8Array, start: number, end: number, bytes: Uint8Array): void {
  invariant(start + bytes.length <= end, `nano's part at 0x${start.toString(16)} has ${bytes.length} bytes, ${end - start} fit`);
  image.set(bytes, start - LAYOUT.BOOT);
}

/** The monitor's source for one width. */
export function monitorSource(width: 32 | 64): string {
  const parts = [MONITOR_SOURCE, REPORT_SOURCE, BENCH_SOURCE, INTERRUPTS_SOURCE, GATES_SOURCE[width], textsSource(width)];
  return `bits ${width}\n${parts.join('\n')}`
    .replaceAll(/@(ax|bx|cx|dx|si|di|bp|sp)\b/g, width === 64 ? 'r$1' : 'e$1')
    .replaceAll('@iret', width === 64 ? 'iretq' : 'iretd')
    .replaceAll('@CELL', String(width / 8))
    .replaceAll('@GATE_BYTES', String(width / 4));
}
