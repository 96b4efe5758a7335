/* @precomputed */
import { linkKernel } from './link.ts';

export const KERNEL_IMAGE: Uint8Array<ArrayBuffer> = linkKernel();
