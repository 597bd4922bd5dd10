# Starts and ends the processes of one cluster. Sourced by `cluster`, which sets NAME, STATE and NETNS_FILE.
#
# Membership is what the kernel says, not what a file remembers: a process belongs to the cluster if it is in the
# cluster's control group (all components, shims and containers are) or in its network namespace. That holds after
# kill -9 of anything, and a process id that was used again by a stranger is never touched.
# shellcheck shell=bash

# The control group directories of the cluster, one per mounted hierarchy: one on cgroup v2, a dozen on v1.
cgroup_dirs() {
  awk -v name="$NAME" '$3 == "cgroup" || $3 == "cgroup2" {print $2 "/" name}' /proc/self/mounts | sort -u
}

# The group that the components run in; on v1 any hierarchy does, and `pids` has no limits to inherit.
system_cgroup() {
  local dirs
  dirs=$(cgroup_dirs)
  { grep /pids/ <<<"$dirs" || head -n 1 <<<"$dirs"; } | sed 's|$|/system|'
}

make_cgroups() {
  local dir file
  for dir in $(cgroup_dirs); do
    mkdir -p "$dir" || die "cannot make the control group $dir: the testbed needs root and a writable /sys/fs/cgroup"
    # On v1 a new cpuset has no processor and no memory, and refuses every process until it has.
    for file in cpuset.cpus cpuset.mems; do
      if [[ -f $dir/$file && -f $dir/../$file ]]; then cat "$dir/../$file" >"$dir/$file"; fi
    done
  done
  # On v2 the kubelet wants these controllers in its root group; a kernel may lack some, and v1 knows no such file.
  for file in cpu cpuset memory pids io hugetlb; do
    { echo "+$file" >/sys/fs/cgroup/cgroup.subtree_control; } 2>/dev/null || true
  done
  mkdir -p "$(system_cgroup)"
}

# All process ids of the cluster, one a line, without this script and those who called it.
members() {
  local dir pid line ours=" " # this script and its callers
  pid=$BASHPID
  while ((pid > 1)); do
    ours+="$pid "
    pid=$(awk '{sub(/.*\) /, ""); print $2}' "/proc/$pid/stat" 2>/dev/null || echo 0)
  done
  {
    for dir in $(cgroup_dirs); do
      # A group may go away while find walks; what it held is then gone too.
      find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done
    if [[ -e $NETNS_FILE ]]; then
      for dir in /proc/[0-9]*; do
        if [[ $dir/ns/net -ef $NETNS_FILE ]]; then echo "${dir#/proc/}"; fi
      done
    fi
  } | sort -un | while read -r line; do [[ $ours == *" $line "* ]] || echo "$line"; done
}

# start NAME COMMAND…: runs COMMAND in the cluster's network namespace and control group, with its log in $STATE/log.
# The environment is empty but for PATH and HOME: a proxy variable of the user's must not divert the cluster's traffic.
start() {
  local name=$1
  shift
  mkdir -p "$STATE/log" "$STATE/pid"
  (
    echo "$BASHPID" >"$(system_cgroup)/cgroup.procs"
    # A process of its own session outlives the terminal; descriptor 9 is the lock, which must not outlive this script.
    exec setsid nsenter --net="$NETNS_FILE" -- env -i PATH="$PATH" HOME="$STATE" "$@" \
      </dev/null >>"$STATE/log/$name.log" 2>&1 9>&-
  ) &
  # Once more from here: after this line the process counts as running, unless it has ended already.
  { echo "$!" >"$(system_cgroup)/cgroup.procs"; } 2>/dev/null || true
  echo "$!" >"$STATE/pid/$name"
  disown "$!" # bash need not report its end
}

# True if the component NAME runs: its recorded process is alive and still a member of the cluster's control group.
running() {
  local pid
  pid=$(cat "$STATE/pid/$1" 2>/dev/null) || return 1
  grep -qx "$pid" "$(system_cgroup)/cgroup.procs" 2>/dev/null
}

# stop NAME: ends one component, politely for 5 seconds.
stop() {
  local pid
  if running "$1"; then
    pid=$(cat "$STATE/pid/$1")
    kill -TERM "$pid" 2>/dev/null || true
    for _ in {1..50}; do running "$1" || break; sleep 0.1; done
    if running "$1"; then kill -KILL "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$STATE/pid/$1"
}

# wait_until SECONDS WHAT COMMAND…: polls COMMAND; when time is up, or a component named in WATCHED has died, says so.
wait_until() {
  local seconds=$1 what=$2 deadline name
  deadline=$((SECONDS + seconds))
  shift 2
  until "$@" >/dev/null 2>&1; do
    for name in ${WATCHED:-}; do
      running "$name" || { failed "$name has ended" "$name"; return 1; }
    done
    ((SECONDS < deadline)) || { failed "$what: not so after $seconds s" "${WATCHED##* }"; return 1; }
    sleep 0.2
  done
}

failed() {
  say "error: $1; the end of $STATE/log/$2.log:"
  tail -n 15 "$STATE/log/$2.log" | cut -c1-400 >&2 || true
}

# Ends every member. The whole state is thrown away afterwards, so there is nothing to save by asking politely.
end_members() {
  local pids
  for _ in {1..100}; do
    pids=$(members)
    [[ -z $pids ]] && return 0
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
    sleep 0.1
  done
  die "these processes of the cluster do not end, although killed: $(tr "\n" " " <<<"$pids"); see /proc/PID/stack, then run down again"
}

remove_cgroups() {
  local dir
  for dir in $(cgroup_dirs); do
    for _ in {1..50}; do
      [[ -d $dir ]] || break
      find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [[ -d $dir ]] && sleep 0.1
    done
    [[ ! -d $dir ]] || die "the control group $dir cannot be removed; who is in it: find $dir -name cgroup.procs -exec cat {} +"
  done
}
