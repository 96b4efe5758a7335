/** What the caller is waiting for, as it happens. */
export interface GuestProgress {
  readonly phase: 'wait' | 'lists' | 'resolve' | 'download' | 'extract' | 'pack';
  /** For people: `download debian-installer-12-netboot-i386`. */
  readonly message: string;
  /** 0 to 1, where it can be known. */
  readonly fraction?: number;
}

export type ReportProgress = (progress: GuestProgress) => void;

/** Every long operation of this tool takes these. */
export interface WaitOptions {
  readonly progress?: ReportProgress;
  readonly signal?: AbortSignal;
}
