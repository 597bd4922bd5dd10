# Makes and removes the network namespace of one cluster. Sourced by `cluster`, which sets NETNS and NODE_ADDRESS.
# shellcheck shell=bash

# Both ends of the veth pair lie inside: it only carries the node's address and a default route, without which a
# connection to a service address would have no route before kube-proxy's rules rewrite it. (Not every kernel has the
# `dummy` device.) Nothing leads outside, so no traffic of a test can leave the machine, and two clusters never meet.
make_network() {
  ip netns add "$NETNS" || die "cannot make the network namespace $NETNS: the testbed needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN)"
  ip -n "$NETNS" link set lo up
  ip -n "$NETNS" link add node0 type veth peer name node1
  ip -n "$NETNS" address add "$NODE_ADDRESS/24" dev node0
  ip -n "$NETNS" link set node1 up
  ip -n "$NETNS" link set node0 up
  ip -n "$NETNS" route add default dev node0
  # /proc/sys/net shows the network namespace of the process that opens the file.
  nsenter --net="$NETNS_FILE" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

remove_network() {
  [[ -e $NETNS_FILE ]] || return 0
  ip netns delete "$NETNS" || die "the network namespace $NETNS cannot be removed; who uses it: ip netns pids $NETNS"
}
