/** Name of the embedded guest. */
export const NANO = 'nano';

/** The embedded guest's kernel. Imported when asked for: from sources it is assembled there and then. */
export async function nanoKernel(): Promise<Uint8Array> {
  const nano = await import('@vmm/nano');
  return nano.nanoKernel();
}
