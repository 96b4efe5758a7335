const PAGE = 4096;

/** Linear address of the page that is so many pages from the one of an address. */
export function linearPage(lo: number, hi: number, page: number, mode: 16 | 32 | 64): [lo: number, hi: number] {
  const at = (lo >>> 0) + page * PAGE;
  return [at | 0, mode === 64 ? hi + Math.floor(at / 0x1_0000_0000) | 0 : 0];
}
