#!/bin/sh
# Runs a command in another root file system as if that were a machine of its own: its own processes, mounts and host
# name, but this host's network. Needs root. Everything that the command has started ends with it.
#
#     enter.sh ROOT USER COMMAND...
#
# Environment: CACHE, a folder that the machine sees as /var/cache/apt/archives. NO_USER_NAMESPACES=1: the machine
# refuses them, as Ubuntu 24.04 does, so bubblewrap cannot work there for an ordinary user. CI and EXPECTED_SKIPS are passed on.

root=$1
[ -d "$root" ] && [ $# -ge 3 ] || { echo "usage: enter.sh ROOT USER COMMAND..." >&2; exit 2; }
shift
# The machine asks the same name servers as we do.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"

# The rest runs in the new namespaces. It changes to the root with pivot_root, as a container does: in a root that
# was only entered by chroot, Linux refuses user namespaces, and so bubblewrap. Here that is what one row asks for.
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
    # As at a login: an ordinary user has no sbin.
    path=$PATH
    [ "$user" = root ] || path=/usr/local/bin:/usr/bin:/bin
    home=$(awk -F: -v user="$user" "\$1 == user { print \$6 }" ./etc/passwd)
    # Not exec: this shell is process 1 and must stay one of root, or Linux would not end it with us.
    chroot . setpriv --reuid "$user" --regid "$user" --init-groups env -i \
        PATH=$path HOME="$home" USER="$user" TERM=dumb ${CI:+CI="$CI"} EXPECTED_SKIPS="$EXPECTED_SKIPS" sh -c "cd && exec \"\$@\"" sh "$@"
' sh "$root" "$@"
