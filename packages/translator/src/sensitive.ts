/**
 * Every sensitive x86 instruction and what each engine makes of it. Robin and Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure
 * Virtual Machine Monitor", USENIX Security 2000 (groups A and B); the others are privileged, or came later. Tested row by row.
 */

/**
 * `inline`: part of translated code. `in-cache`: WebAssembly of the interpreter, without TypeScript. `callout`: TypeScript on the vCPU's state.
 * `exit`: leaves the run loop. `#GP`, `#UD`: the instruction faults.
 */
export type Rule = 'inline' | 'in-cache' | 'callout' | 'exit' | '#GP' | '#UD';

/** Engines that exist; each engine that is added adds a column to every row. */
export const POLICIES = ['interpreter', 'bare'] as const;
export type Policy = (typeof POLICIES)[number];

/** Rules at CPL 0 and at CPL 3 with IOPL 0. */
export interface Rules { readonly ring0: Rule; readonly ring3: Rule }

export interface SensitiveRow {
  readonly name: string;
  /** Mnemonics of the decoder's table. */
  readonly mnemonics: readonly string[];
  /** A: sensitive registers; B: protection system (both unprivileged, so that they do not trap by themselves); privileged; later: neither, and younger. */
  readonly group: 'A' | 'B' | 'privileged' | 'later';
  /** What it shows or changes. */
  readonly why: string;
  /** An instance that can run in a loop, for the test: `@ax` is eax or rax, and there are labels of its harness. */
  readonly code: string;
  /** Widths in which it exists. */
  readonly bits: readonly (32 | 64)[];
  readonly rules: Readonly<Record<Policy, Rules>>;
  /** It cannot come back to the ring it was executed in: the test executes it once. */
  readonly isOnce: boolean;
}

const rules = (interpreter: readonly [Rule, Rule], bare: readonly [Rule, Rule] = interpreter): SensitiveRow['rules'] => ({
  interpreter: { ring0: interpreter[0], ring3: interpreter[1] }, bare: { ring0: bare[0], ring3: bare[1] },
});
const BOTH = [32, 64] as const, WIDE = [64] as const, NARROW = [32] as const;

type Short = readonly [name: string, mnemonics: string, group: SensitiveRow['group'], why: string, code: string, bits: SensitiveRow['bits'], rules: SensitiveRow['rules'], isOnce?: boolean];

const CALLED = rules(['callout', 'callout']);
/** The common case is done by generated code; descriptors, privileges and modes that are not common are TypeScript's. */
const CACHED = rules(['in-cache', 'in-cache'], ['inline', 'inline']);
const CACHED_PRIVILEGED = rules(['in-cache', '#GP'], ['inline', '#GP']);
/** Part of translated code where the flat mode stays. */
const SEGMENT_LOAD = rules(['in-cache', 'in-cache'], ['inline', 'inline']);
/** Answered from what TypeScript has answered before, or from the state. */
const ANSWERED = SEGMENT_LOAD;
/** Works at CPL 0 through a callout, faults at CPL 3. */
const PRIVILEGED = rules(['callout', '#GP']);
const UNDEFINED = rules(['#UD', '#UD']);
/** Works at CPL 0, does not exist at CPL 3. */
const ABSENT_OUTSIDE = rules(['callout', '#UD']);
/** Done by generated code at CPL 0 unless an interrupt waits or virtual flags are on. */
const INTERRUPT_FLAG = rules(['in-cache', '#GP'], ['inline', '#GP']);
/** Reads state that generated code keeps at hand. */
const READ = rules(['in-cache', 'in-cache'], ['inline', 'inline']);

const ROWS: readonly Short[] = [
  ['SGDT', 'sgdt', 'A', 'shows the GDT register', 'sgdt [data]', BOTH, CALLED],
  ['SIDT', 'sidt', 'A', 'shows the IDT register', 'sidt [data]', BOTH, CALLED],
  ['SLDT', 'sldt', 'A', 'shows the LDT register', 'sldt ax', BOTH, CALLED],
  ['SMSW', 'smsw', 'A', 'shows CR0', 'smsw ax', BOTH, CALLED],
  ['PUSHF', 'pushf', 'A', 'shows IF and IOPL', 'pushf\npop @ax', BOTH, READ],
  ['POPF', 'popf', 'A', 'drops IF and IOPL silently outside ring 0', 'push 2\npopf', BOTH, rules(['in-cache', 'callout'], ['inline', 'callout'])],
  ['LAR', 'lar', 'B', 'depends on CPL', 'mov ecx, 0x23\nlar eax, ecx', BOTH, CALLED],
  ['LSL', 'lsl', 'B', 'depends on CPL', 'mov ecx, 0x23\nlsl eax, ecx', BOTH, CALLED],
  ['VERR', 'verr', 'B', 'depends on CPL', 'mov ecx, 0x23\nverr cx', BOTH, CALLED],
  ['VERW', 'verw', 'B', 'depends on CPL', 'mov ecx, 0x23\nverw cx', BOTH, CALLED],
  ['POP segment', 'pop', 'B', 'checks privilege, loads hidden state', 'push 0\npop fs', BOTH, SEGMENT_LOAD],
  ['PUSH segment', 'push', 'B', 'shows CPL in a selector', 'push fs\npop @ax', BOTH, READ],
  ['CALL far', 'callf', 'B', 'checks privilege, may switch stacks or tasks', 'call far [far_pointer]', BOTH, CALLED],
  ['JMP far', 'jmpf', 'B', 'checks privilege, may switch tasks', 'jmp far [landed_pointer]\nlanded:', BOTH, CALLED],
  ['INT n', 'int int3', 'B', 'goes through the IDT', 'int 0x80', BOTH, CACHED],
  ['RET far', 'retf', 'B', 'checks privilege, may lower it', 'push CS_NOW\npush landed\n@retf\nlanded:', BOTH, CALLED],
  ['STR', 'str', 'B', 'shows the task register', 'str ax', BOTH, CALLED],
  ['MOV from segment', 'mov', 'B', 'shows CPL in a selector', 'mov eax, cs', BOTH, READ],
  ['MOV to segment', 'mov', 'B', 'checks privilege, loads hidden state', 'xor eax, eax\nmov fs, eax', BOTH, SEGMENT_LOAD],
  ['LSS, LFS, LGS', 'lss lfs lgs', 'B', 'load a segment with its pointer', 'lfs eax, [null_pointer]', BOTH, SEGMENT_LOAD],
  ['LDS, LES', 'lds les', 'B', 'load a segment with its pointer', 'les eax, [data_pointer]', NARROW, SEGMENT_LOAD],
  ['INTO', 'into', 'B', 'goes through the IDT', 'mov al, 0x7f\ninc al\ninto', NARROW, CALLED],
  ['IRET', 'iret', 'B', 'may lower privilege, loads flags', '@iret_frame\n@iret\nlanded:', BOTH, CACHED],
  ['INT1', 'int1', 'later', 'goes through the IDT whatever the gate says', 'int1', BOTH, CALLED],
  ['CLI', 'cli', 'privileged', 'changes IF, where IOPL allows', 'cli', BOTH, INTERRUPT_FLAG],
  ['STI', 'sti', 'privileged', 'changes IF, where IOPL allows', 'sti', BOTH, INTERRUPT_FLAG],
  ['IN', 'in', 'privileged', 'reads a device, where IOPL or the TSS allows', 'in al, 0x80', BOTH, PRIVILEGED],
  ['OUT', 'out', 'privileged', 'writes a device, where IOPL or the TSS allows', 'out 0x80, al', BOTH, PRIVILEGED],
  ['INS', 'ins', 'privileged', 'reads a device, where IOPL or the TSS allows', 'mov edi, data\nmov edx, 0x80\ninsb', BOTH, PRIVILEGED],
  ['OUTS', 'outs', 'privileged', 'writes a device, where IOPL or the TSS allows', 'mov esi, data\nmov edx, 0x80\noutsb', BOTH, PRIVILEGED],
  ['HLT', 'hlt', 'privileged', 'waits for an interrupt', 'hlt', BOTH, rules(['exit', '#GP'])],
  ['MOV from CR', 'mov', 'privileged', 'shows control registers', 'mov @ax, cr0', BOTH, CACHED_PRIVILEGED],
  ['MOV to CR', 'mov', 'privileged', 'changes paging, modes, privileges', 'mov @ax, cr3\nmov cr3, @ax', BOTH, PRIVILEGED],
  ['MOV from DR', 'mov', 'privileged', 'shows breakpoints', 'mov @ax, dr6', BOTH, PRIVILEGED],
  ['MOV to DR', 'mov', 'privileged', 'sets breakpoints', 'xor eax, eax\nmov dr0, @ax', BOTH, PRIVILEGED],
  ['CLTS', 'clts', 'privileged', 'changes CR0', 'clts', BOTH, CACHED_PRIVILEGED],
  ['LMSW', 'lmsw', 'privileged', 'changes CR0', 'mov eax, 1\nlmsw ax', BOTH, PRIVILEGED],
  ['LGDT', 'lgdt', 'privileged', 'loads the GDT register', 'lgdt [gdt_image]', BOTH, PRIVILEGED],
  ['LIDT', 'lidt', 'privileged', 'loads the IDT register', 'lidt [idt_image]', BOTH, PRIVILEGED],
  ['LLDT', 'lldt', 'privileged', 'loads the LDT register', 'xor eax, eax\nlldt ax', BOTH, PRIVILEGED],
  ['LTR', 'ltr', 'privileged', 'loads the task register', 'mov byte [GDT + 0x2d], 0x89\nmov eax, 0x28\nltr ax', BOTH, PRIVILEGED],
  ['INVLPG', 'invlpg', 'privileged', 'drops a translation', 'invlpg [0x40000000]', BOTH, CACHED_PRIVILEGED],
  ['INVPCID', 'invpcid', 'privileged', 'drops translations', 'xor eax, eax\ninvpcid @ax, [zeros]', BOTH, PRIVILEGED],
  ['INVD', 'invd', 'privileged', 'drops caches', 'invd', BOTH, PRIVILEGED],
  ['WBINVD, WBNOINVD', 'wbinvd wbnoinvd', 'privileged', 'writes caches back', 'wbinvd', BOTH, PRIVILEGED],
  ['RDMSR', 'rdmsr', 'privileged', 'shows a model-specific register', 'mov ecx, 0x174\nrdmsr', BOTH, PRIVILEGED],
  ['WRMSR', 'wrmsr', 'privileged', 'changes a model-specific register', 'mov ecx, 0xc0000103\nxor eax, eax\nxor edx, edx\nwrmsr', BOTH, PRIVILEGED],
  ['SWAPGS', 'swapgs', 'privileged', 'swaps GS bases', 'swapgs\nswapgs', WIDE, CACHED_PRIVILEGED],
  ['SYSRET', 'sysret', 'privileged', 'lowers privilege', 'mov ecx, landed\nmov r11d, 2\no64 sysret\nlanded:', WIDE, CACHED_PRIVILEGED, true],
  ['SYSEXIT', 'sysexit', 'privileged', 'lowers privilege', 'mov @cx, @sp\nmov edx, landed\n@sysexit\nlanded:', BOTH, CACHED_PRIVILEGED, true],
  ['CLAC, STAC', 'clac stac', 'privileged', 'change EFLAGS.AC and with it SMAP', 'stac\nclac', BOTH, rules(['in-cache', '#UD'])],
  ['MONITOR', 'monitor', 'privileged', 'watches memory for MWAIT', 'mov eax, data\nxor ecx, ecx\nxor edx, edx\nmonitor', BOTH, ABSENT_OUTSIDE],
  ['MWAIT', 'mwait', 'privileged', 'waits for a store or an interrupt', 'xor eax, eax\nxor ecx, ecx\nmwait', BOTH, ABSENT_OUTSIDE],
  ['XSETBV', 'xsetbv', 'privileged', 'changes XCR0', 'xor ecx, ecx\nxgetbv\nxsetbv', BOTH, PRIVILEGED],
  ['XSAVES, XRSTORS', 'xsaves xrstors', 'privileged', 'save and load supervisor state', 'xor eax, eax\nxor edx, edx\nxsaves [aligned]', BOTH, rules(['in-cache', '#GP'])],
  ['SYSCALL', 'syscall', 'later', 'raises privilege', 'syscall', WIDE, CACHED],
  ['SYSENTER', 'sysenter', 'later', 'raises privilege', 'mov @cx, @sp\nmov edx, landed\nsysenter\nlanded:', BOTH, CACHED],
  ['CPUID', 'cpuid', 'later', 'shows the machine', 'xor eax, eax\ncpuid', BOTH, ANSWERED],
  ['RDTSC', 'rdtsc', 'later', 'shows time', 'rdtsc', BOTH, ANSWERED],
  ['RDTSCP', 'rdtscp', 'later', 'shows time and TSC_AUX', 'rdtscp', BOTH, ANSWERED],
  ['RDPMC', 'rdpmc', 'later', 'shows counters, of which the CPU has none', 'xor ecx, ecx\nrdpmc', BOTH, rules(['#GP', '#GP'])],
  ['RDPID', 'rdpid', 'later', 'shows TSC_AUX', 'rdpid @ax', BOTH, CALLED],
  ['RDRAND', 'rdrand', 'later', 'is not repeatable', 'rdrand eax', BOTH, CALLED],
  ['RDSEED', 'rdseed', 'later', 'is not repeatable', 'rdseed eax', BOTH, CALLED],
  ['XGETBV', 'xgetbv', 'later', 'shows XCR0', 'xor ecx, ecx\nxgetbv', BOTH, CALLED],
  ['RDFSBASE, RDGSBASE', 'rdfsbase rdgsbase', 'later', 'show hidden segment state', 'rdfsbase rax', WIDE, ANSWERED],
  ['WRFSBASE, WRGSBASE', 'wrfsbase wrgsbase', 'later', 'change hidden segment state', 'xor eax, eax\nwrfsbase rax', WIDE, ANSWERED],
  ['RDPKRU', 'rdpkru', 'later', 'shows protection-key rights', 'xor ecx, ecx\nrdpkru', WIDE, CALLED],
  ['WRPKRU', 'wrpkru', 'later', 'changes protection-key rights', 'xor eax, eax\nxor ecx, ecx\nxor edx, edx\nwrpkru', WIDE, CALLED],
  ['PAUSE', 'pause', 'later', 'tells of a spinning loop', 'pause', BOTH, READ],
  ['UMWAIT, TPAUSE', 'umwait tpause', 'later', 'wait, where a model-specific register allows', 'xor eax, eax\nxor edx, edx\ntpause ecx', BOTH, CALLED],
  ['RSM', 'rsm', 'later', 'leaves system management mode', 'rsm', BOTH, UNDEFINED],
  ['VMCALL', 'vmcall', 'later', 'calls a hypervisor', 'vmcall', BOTH, CALLED],
  ['VMMCALL', 'vmmcall', 'later', 'calls a hypervisor', 'vmmcall', BOTH, CALLED],
  ['VMX instructions', 'vmxon vmxoff vmlaunch vmresume vmread vmwrite vmptrld vmptrst vmclear invept invvpid vmfunc', 'later', 'run guests', 'vmlaunch', BOTH, UNDEFINED],
  ['SVM instructions', 'vmrun vmload vmsave stgi clgi skinit invlpga', 'later', 'run guests', 'stgi', BOTH, UNDEFINED],
  ['SMX, SGX, CET, younger AMD instructions', 'getsec encls pconfig setssbsy clrssbsy wruss monitorx mwaitx rdpru invlpgb tlbsync', 'later', 'are in no CPU model of ours', 'getsec', BOTH, UNDEFINED],
];

export const SENSITIVE: readonly SensitiveRow[] = ROWS.map(([name, mnemonics, group, why, code, bits, policy, isOnce = false]) => ({ name, mnemonics: mnemonics.split(' '), group, why, code, bits, rules: policy, isOnce }));
