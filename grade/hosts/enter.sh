#!/bin/sh
# Runs a command in another root file system as if that were a separate machine: with its own processes, mounts and host
# name, but with this host's network. Needs root. When the command ends, so do all processes that it started.
#
#     enter.sh ROOT USER COMMAND...
#
# Environment: CACHE, a folder that the machine sees as /var/cache/apt/archives. NO_USER_NAMESPACES=1: the machine
# refuses user namespaces, like Ubuntu 24.04, so bubblewrap cannot work there for a normal user. The command also gets CI
# and EXPECTED_SKIPS.

root=$1
[ -d "$root" ] && [ $# -ge 3 ] || { echo "usage: enter.sh ROOT USER COMMAND..." >&2; exit 2; }
shift
# The machine uses the same name servers as this host.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"

# The rest runs in the new namespaces. It changes the root with pivot_root, as a container does. With chroot alone, Linux
# refuses user namespaces, so bubblewrap fails; NO_USER_NAMESPACES=1 wants just that.
# shellcheck disable=SC2016  # the inner shell expands these
exec unshare --mount --pid --ipc --uts --fork --kill-child --propagation private sh -ec '
    user=$2
    mount --bind "$1" "$1"
    cd "$1"
    shift 2
    hostname fresh
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
    ln -sf pts/ptmx dev/ptmx
    mkdir -p dev/shm
    mount -t tmpfs -o mode=1777 tmpfs dev/shm
    for link in fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
        ln -sfn "/proc/self/fd${link#*fd}" "dev/${link%%:*}"
    done
    [ -z "$CACHE" ] || mount --bind "$CACHE" var/cache/apt/archives
    if [ -z "$NO_USER_NAMESPACES" ]; then
        pivot_root . mnt
        umount -l /mnt
    fi
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    # Use the PATH of a login: a normal user has no sbin in it.
    path=$PATH
    [ "$user" = root ] || path=/usr/local/bin:/usr/bin:/bin
    home=$(awk -F: -v user="$user" "\$1 == user { print \$6 }" ./etc/passwd)
    # No exec here: this shell is process 1. It must keep running as root, or Linux would not end it with us.
    chroot . setpriv --reuid "$user" --regid "$user" --init-groups env -i \
        PATH=$path HOME="$home" USER="$user" TERM=dumb ${CI:+CI="$CI"} EXPECTED_SKIPS="$EXPECTED_SKIPS" sh -c "cd && exec \"\$@\"" sh "$@"
' sh "$root" "$@"
