#!/bin/sh
# First process of the guest, run by busybox from the initramfs: builds the root file system out of the host's, read
# only, under a tmpfs, and goes on in it with `start` of the control share (written by guest.mjs for every run).
fail() {
  echo "fairlead-guest: $*"
  echo o >/proc/sysrq-trigger
  sleep 60
}

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
  insmod "/modules/$module" || fail "cannot load $module"
done </modules/order

# Everything is cached for the root, which does not change under the guest as far as it is concerned; nothing on
# the shares that the host reads while the guest runs.
nine='trans=virtio,version=9p2000.L,access=any,msize=512000'
mount -t 9p -o "$nine,ro,cache=loose" root /host || fail 'cannot mount the root share'
mount -t 9p -o "$nine,cache=none" control /control || fail 'cannot mount the control share'
. /control/settings

mount -t tmpfs -o size=75% tmpfs /writable
mkdir /writable/upper /writable/work
mount -t overlay -o lowerdir=/host,upperdir=/writable/upper,workdir=/writable/work overlay /root || fail 'cannot mount the overlay'

# Kept aside what lies in folders that get a fresh tmpfs: a working tree in /tmp must stay visible.
index=0
while read -r folder; do
  index=$((index + 1))
  mkdir -p "/kept/$index"
  mount --bind "/root$folder" "/kept/$index" || fail "cannot see $folder"
done </control/kept
mkdir -p /root/lib/modules
mount --bind "/root$MODULES" /root/lib/modules || fail 'cannot mount the modules'
mount -t tmpfs -o mode=755 tmpfs /root/run
mount -t tmpfs -o mode=1777 tmpfs /root/tmp
index=0
while read -r folder; do
  index=$((index + 1))
  mkdir -p "/root$folder"
  mount --move "/kept/$index" "/root$folder" || fail "cannot move $folder"
done </control/kept
if [ -n "$OUT" ]; then
  mkdir -p "/root$OUT"
  mount -t 9p -o "$nine,cache=none" out "/root$OUT" || fail 'cannot mount the results share'
fi

mkdir -p /root/run/fairlead-guest /root/run/lock
for folder in dev proc sys; do mount --move "/$folder" "/root/$folder"; done
mount --move /control /root/run/fairlead-guest
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 tmpfs /root/dev/shm
ln -s /proc/self/fd /root/dev/fd
ln -s /proc/self/fd/0 /root/dev/stdin
ln -s /proc/self/fd/1 /root/dev/stdout
ln -s /proc/self/fd/2 /root/dev/stderr
hostname fairlead-guest
ip link set lo up
exec switch_root /root /bin/sh /run/fairlead-guest/start
fail 'cannot enter the root file system'
