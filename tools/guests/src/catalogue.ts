/** The guests this tool can obtain. All of them are Debian 12's own, unmodified binaries. */

export type GuestArchitecture = 'i386' | 'amd64';

/** One file out of one Debian package. */
export interface PackageFile {
  /** Name in the cache. */
  readonly id: string;
  readonly packageName: string;
  /** `all` for packages without machine code of their own. */
  readonly architecture: GuestArchitecture | 'all';
  /** The package is only a pointer: take the first dependency that matches this. */
  readonly metaDependency?: RegExp;
  /** tar wildcard of the member. */
  readonly member: string;
  readonly fileName: string;
}

export interface GuestDefinition {
  readonly name: string;
  readonly description: string;
  readonly architecture: GuestArchitecture;
  readonly kernel: PackageFile;
  readonly busybox: PackageFile;
  /** Default kernel command line. */
  readonly append: string;
}

function netbootKernel(architecture: GuestArchitecture): PackageFile {
  return {
    id: `netboot-kernel-${architecture}`,
    packageName: `debian-installer-12-netboot-${architecture}`,
    architecture: 'all',
    member: `./*/images/12/${architecture}/text/debian-installer/${architecture}/linux`,
    fileName: 'vmlinuz',
  };
}

function staticBusybox(architecture: GuestArchitecture): PackageFile {
  return { id: `busybox-${architecture}`, packageName: 'busybox-static', architecture, member: './bin/busybox', fileName: 'busybox' };
}

const CLOUD_KERNEL: PackageFile = {
  id: 'cloud-kernel-amd64',
  packageName: 'linux-image-cloud-amd64',
  architecture: 'amd64',
  metaDependency: /^linux-image-\d\S*-cloud-amd64$/,
  member: './boot/vmlinuz-*',
  fileName: 'vmlinuz',
};

/**
 * Boot time is most of what a person waits for. The mitigations guard against silicon that a virtual CPU is not; the self-tests of the
 * kernel's ciphers take half of a 32-bit boot; looking for ISA plug-and-play cards is a second of busy waiting.
 */
const APPEND = 'console=ttyS0 mitigations=off cryptomgr.notests noisapnp';

export const GUESTS: readonly GuestDefinition[] = [
  {
    name: 'linux-i386',
    description: "Debian 12's 32-bit installer kernel, busybox shell on ttyS0",
    architecture: 'i386',
    kernel: netbootKernel('i386'),
    busybox: staticBusybox('i386'),
    append: APPEND,
  },
  {
    name: 'linux-amd64',
    description: "Debian 12's 64-bit installer kernel, busybox shell on ttyS0",
    architecture: 'amd64',
    kernel: netbootKernel('amd64'),
    busybox: staticBusybox('amd64'),
    append: APPEND,
  },
  {
    name: 'linux-cloud-amd64',
    description: "Debian 12's 64-bit cloud kernel, busybox shell on ttyS0",
    architecture: 'amd64',
    kernel: CLOUD_KERNEL,
    busybox: staticBusybox('amd64'),
    append: APPEND,
  },
];
