import { MODE } from '@vmm/cpu';

const SIZES = [16, 32, 64] as const;
/** Width of code in a mode. */
export const modeOf = (modeKey: number): 16 | 32 | 64 => SIZES[modeKey & MODE.CODE_SIZE] ?? 16;
/** No segment but FS and GS adds or checks anything. */
export const hasFlatSegments = (modeKey: number): boolean => (modeKey & (MODE.CODE64 | MODE.FLAT)) !== 0;
