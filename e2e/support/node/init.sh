#!/bin/sh
# init.sh FOLDER KEPT...: first process of a test cluster's namespaces. Kubelet, containerd, CNI and iptables write at places of their own: these are empty here, and
# gone with the namespace. FOLDER and KEPT stay as they are on the machine.
set -eu
mount -t tmpfs -o mode=755 slipway-e2e /run
at=0
for kept in "$@"; do
  at=$((at + 1))
  mkdir -p /run/kept/$at
  mount --bind "$kept" /run/kept/$at
done
for place in /tmp /var/lib /var/log; do mount -t tmpfs -o mode=1777 slipway-e2e $place; done
at=0
for kept in "$@"; do
  at=$((at + 1))
  mkdir -p "$kept"
  mount --move /run/kept/$at "$kept"
done
rm -r /run/kept
mkdir -p "$1/kubelet" "$1/volumes" /var/lib/kubelet /tmp/hostpath_pv /run/netns
# What pods write is not kept in memory.
mount --bind "$1/kubelet" /var/lib/kubelet
mount --bind "$1/volumes" /tmp/hostpath_pv
# Mounts of the kubelet are to be seen by its pods, as they ask for it.
mount --make-rshared /
echo 1 >/proc/sys/net/ipv4/ip_forward
for bridged in /proc/sys/net/bridge/bridge-nf-call-iptables; do [ ! -e $bridged ] || echo 1 >$bridged; done
hostname node
: >"$1/namespaces"
trap 'exit 0' TERM
# Whatever loses its parent is reaped by the shell's wait.
while :; do sleep 86400 & wait $!; done
