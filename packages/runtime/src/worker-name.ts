/** In messages and debuggers, and of workers that were prepared. */
export function vcpuWorkerName(machine: string): string {
  return `${machine} vcpu0`;
}
