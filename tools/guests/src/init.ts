/** The two scripts in the initial RAM disk. */

/**
 * Process 1. It stays a shell script because busybox's own init waits two seconds to power off; the traps make plain
 * `poweroff`, `reboot` and `halt` work as under an init, for which it waits where a trap can interrupt it. cttyhack gives the
 * shell a controlling terminal: job control and Ctrl-C need one. The shell is no background job, which would ignore SIGINT for
 * ever, with all that it starts: a pipe's other end kills the script between, and the shell is process 1's.
 */
export function initScript(guestName: string): string {
  return `#!/bin/sh
export PATH=/bin HOME=/root TERM=\${TERM:-vt102} ENV=/etc/shrc
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
hostname ${guestName}
trap 'poweroff -f' USR2
trap 'reboot -f' TERM
trap 'halt -f' USR1
read -r up _ < /proc/uptime
echo
echo "${guestName}: Linux $(uname -r), $(uname -m), up \${up} s. 'poweroff' or Ctrl-D stops the machine."
echo
cd /root
sh -c '{ setsid cttyhack sh </dev/console >/dev/console 2>&1; poweroff -f; } | kill -PIPE $$'
while :; do
  sleep 86400 &
  wait $!
done
`;
}

/** Read by every interactive shell. */
export const SHELL_STARTUP = `PS1='root@\\h:\\w\\$ '
`;
