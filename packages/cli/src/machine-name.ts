/** Name of the machine that `vmm run` makes; its worker is prepared under it. */
export const MACHINE_NAME = 'vm1';
