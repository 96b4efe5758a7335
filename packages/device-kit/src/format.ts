/** `0x03f8` */
export function formatPort(port: number): string {
  return `0x${port.toString(16).padStart(4, '0')}`;
}

/** `0xfee00000` */
export function formatGpa(gpa: number): string {
  return `0x${gpa.toString(16).padStart(8, '0')}`;
}
