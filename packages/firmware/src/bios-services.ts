/**
 * The few BIOS services that a kernel's real-mode set-up code, or a boot sector, asks for: memory size and map, teletype to COM1, "no disk",
 * "no key". Assembled by hand: the listing below is the source, its second column the bytes.
 * Ralf Brown's Interrupt List; ACPI 6.4 §15.1 (INT 15h, E820h)
 */
import { invariant } from '@vmm/spec';
import { ADDRESS } from './address-map.ts';
import { type E820Entry, highMemoryEnd } from './e820.ts';
import type { GuestMemory } from './guest-memory.ts';
import { StructureWriter } from './structure-writer.ts';

/** Offsets in segment F000. */
const CODE_OFFSET = 0xe000, DATA_OFFSET = 0xe800, DATA_END = 0xf000;
const E820_TABLE_OFFSET = 0x10;
const E820_ENTRY_BYTES = 20;

/**
 * DATA_OFFSET: word 0 ranges in the map, +4 equipment (INT 11h), +6 KiB below the EBDA (INT 12h), +8 KiB above 1 MiB (INT 15h, 88h),
 * +A and +C KiB to 16 MiB and 64-KiB blocks above (E801h), +10 the map.
 */
export const BIOS_LISTING = `
  default:
    00  cf                     iret
  int10:
    01  80 fc 0e               cmp ah,0xe
    04  74 15                  je tty
    06  80 fc 0f               cmp ah,0xf
    09  74 0a                  je mode
    0b  80 fc 03               cmp ah,0x3
    0e  75 04                  jne 0x14
    10  31 c9                  xor cx,cx
    12  31 d2                  xor dx,dx
    14  cf                     iret
  mode:
    15  b8 03 50               mov ax,0x5003
    18  30 ff                  xor bh,bh
    1a  cf                     iret
  tty:
    1b  52                     push dx
    1c  ba f8 03               mov dx,0x3f8
    1f  ee                     out dx,al
    20  5a                     pop dx
    21  cf                     iret
  int11:
    22  2e a1 04 e8            mov ax,cs:0xe804
    26  cf                     iret
  int12:
    27  2e a1 06 e8            mov ax,cs:0xe806
    2b  cf                     iret
  int13:
    2c  b4 01                  mov ah,0x1
    2e  eb 32                  jmp fail
  int16:
    30  f6 c4 01               test ah,0x1
    33  74 08                  je 0x3d
    35  55                     push bp
    36  89 e5                  mov bp,sp
    38  80 4e 06 40            or BYTE PTR [bp+0x6],0x40
    3c  5d                     pop bp
    3d  31 c0                  xor ax,ax
    3f  cf                     iret
  int1a:
    40  80 fc 00               cmp ah,0x0
    43  75 1b                  jne unsupported
    45  30 c0                  xor al,al
    47  31 c9                  xor cx,cx
    49  31 d2                  xor dx,dx
    4b  cf                     iret
  int15:
    4c  3d 20 e8               cmp ax,0xe820
    4f  74 34                  je e820
    51  3d 01 e8               cmp ax,0xe801
    54  74 20                  je e801
    56  80 fc 88               cmp ah,0x88
    59  74 15                  je h88
    5b  80 fc 24               cmp ah,0x24
    5e  74 0b                  je a20
  unsupported:
    60  b4 86                  mov ah,0x86
  fail:
    62  55                     push bp
    63  89 e5                  mov bp,sp
    65  80 4e 06 01            or BYTE PTR [bp+0x6],0x1
    69  5d                     pop bp
    6a  cf                     iret
  a20:
    6b  b8 01 00               mov ax,0x1
    6e  eb 57                  jmp succeed
  h88:
    70  2e a1 08 e8            mov ax,cs:0xe808
    74  eb 51                  jmp succeed
  e801:
    76  2e a1 0a e8            mov ax,cs:0xe80a
    7a  89 c1                  mov cx,ax
    7c  2e 8b 1e 0c e8         mov bx,WORD PTR cs:0xe80c
    81  89 da                  mov dx,bx
    83  eb 42                  jmp succeed
  e820:
    85  66 81 fa 50 41 4d 53   cmp edx,0x534d4150
    8c  75 d2                  jne unsupported
    8e  2e 3b 1e 00 e8         cmp bx,WORD PTR cs:0xe800
    93  73 cb                  jae unsupported
    95  56                     push si
    96  57                     push di
    97  6b f3 14               imul si,bx,0x14
    9a  81 c6 10 e8            add si,0xe810
    9e  b9 0a 00               mov cx,0xa
    a1  fc                     cld
    a2  2e 8b 04               mov ax,WORD PTR cs:[si]
    a5  26 89 05               mov WORD PTR es:[di],ax
    a8  83 c6 02               add si,0x2
    ab  83 c7 02               add di,0x2
    ae  e2 f2                  loop 0xa2
    b0  5f                     pop di
    b1  5e                     pop si
    b2  66 b9 14 00 00 00      mov ecx,0x14
    b8  66 89 d0               mov eax,edx
    bb  66 43                  inc ebx
    bd  2e 3b 1e 00 e8         cmp bx,WORD PTR cs:0xe800
    c2  72 03                  jb succeed
    c4  66 31 db               xor ebx,ebx
  succeed:
    c7  55                     push bp
    c8  89 e5                  mov bp,sp
    ca  80 66 06 fe            and BYTE PTR [bp+0x6],0xfe
    ce  5d                     pop bp
    cf  cf                     iret
`;

/** Interrupt vector → handler. Every other vector returns at once. */
const HANDLERS: Readonly<Record<number, string>> = {
  0x10: 'int10', 0x11: 'int11', 0x12: 'int12', 0x13: 'int13', 0x15: 'int15', 0x16: 'int16', 0x1a: 'int1a',
};
const DEFAULT_HANDLER = 'default';
const VECTORS = 256;

interface AssembledListing {
  readonly bytes: readonly number[];
  readonly labels: ReadonlyMap<string, number>;
}

/** Reads the listing: `label:` lines and `offset  bytes  text` lines. */
export function readListing(listing: string): AssembledListing {
  const bytes: number[] = [];
  const labels = new Map<string, number>();
  for (const line of listing.split('\n')) {
    const label = /^ {2}(\w+):$/.exec(line)?.[1];
    const code = /^ {4}([0-9a-f]+) {2}((?:[0-9a-f]{2} )+)/.exec(line);
    if (label !== undefined) labels.set(label, bytes.length);
    if (code === null) continue;
    invariant(parseInt(code[1] ?? '', 16) === bytes.length, `listing line "${line.trim()}" follows its predecessor`);
    for (const byte of (code[2] ?? '').trim().split(' ')) bytes.push(parseInt(byte, 16));
  }
  return { bytes, labels };
}

/** Writes vectors, BIOS data area, EBDA and services. */
export function installBiosServices(memory: GuestMemory, e820: readonly E820Entry[]): void {
  const { bytes, labels } = readListing(BIOS_LISTING);
  memory.write(ADDRESS.BIOS + CODE_OFFSET, Uint8Array.from(bytes));
  memory.write(ADDRESS.BIOS + DATA_OFFSET, makeServiceData(e820));
  const vectors = new StructureWriter();
  for (let vector = 0; vector < VECTORS; vector++) {
    const handler = labels.get(HANDLERS[vector] ?? DEFAULT_HANDLER);
    invariant(handler !== undefined, `BIOS handler of vector ${vector} is in the listing`);
    vectors.u16(CODE_OFFSET + handler, ADDRESS.BIOS >> 4);
  }
  memory.write(0, vectors.finish());
  memory.write(ADDRESS.BIOS_DATA_AREA, makeBiosDataArea());
  memory.write(ADDRESS.EBDA, Uint8Array.of((ADDRESS.VIDEO - ADDRESS.EBDA) / 1024));
}

function makeServiceData(e820: readonly E820Entry[]): Uint8Array {
  invariant(E820_TABLE_OFFSET + e820.length * E820_ENTRY_BYTES <= DATA_END - DATA_OFFSET, `${e820.length} memory ranges fit the BIOS data`);
  const highKib = Math.floor((highMemoryEnd(e820) - ADDRESS.HIGH_MEMORY) / 1024);
  const to16MibKib = Math.min(highKib, 15 * 1024);
  const data = new StructureWriter()
    .u16(e820.length, 0, /* equipment */ 0, ADDRESS.EBDA / 1024)
    .u16(Math.min(highKib, 0xffff), to16MibKib, Math.min(Math.floor((highKib - to16MibKib) / 64), 0xffff), 0);
  for (const entry of e820) data.u64(entry.base, entry.length).u32(entry.type);
  return data.finish();
}

/** The fields that real-mode programs read directly. IBM PS/2 and PC BIOS Interface Technical Reference, section 3 */
function makeBiosDataArea(): Uint8Array {
  return new StructureWriter()
    .u16(0x3f8).padTo(0x0e) // COM1
    .u16(ADDRESS.EBDA >> 4).padTo(0x13)
    .u16(ADDRESS.EBDA / 1024).padTo(0x49)
    .u8(3).u16(80).padTo(0x84) // text mode, columns
    .u8(24).u16(16).padTo(0x100) // rows - 1, scan lines of a character
    .finish();
}
