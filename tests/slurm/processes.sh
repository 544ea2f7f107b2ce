# Shared by slurm-up and slurm-down: settings, and processes that are known to be their own.
# A process is recorded as "name pid start-time", so that a reused number is never taken for it.
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
STATE=/var/lib/miatlas-slurm
CLUSTER=miatlastests
PIDS=$STATE/run/pids
for name in ${!SLURM_@} ${!SBATCH_@} ${!SRUN_@} ${!SQUEUE_@} ${!SINFO_@} ${!SCANCEL_@}; do
    unset "$name"
done

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

fail() { # message [log file [exit status]]
    say "ERROR: $1" >&2
    if [ -s "${2:-}" ]; then
        echo "--- last lines of $2" >&2
        tail -n 15 "$2" >&2
    fi
    exit "${3:-1}"
}

alone() { # one of the two scripts at a time; children must not inherit the lock: 9>&-
    [ "$(id -u)" = 0 ] || fail "must run as root"
    mkdir -p "$STATE/run"
    exec 9> "$STATE/run/lock"
    flock -w 60 9 || fail "another slurm-up or slurm-down is at work"
    touch "$PIDS"
}

started_at() { # pid -> field 22 of /proc/PID/stat; fails for a dead process or a zombie
    local fields
    fields=$(cat "/proc/$1/stat" 2> /dev/null) || return 1
    read -ra fields <<< "${fields##*) }"
    [ "${fields[0]}" != Z ] && echo "${fields[19]}"
}

ours() { # name -> the pid, if the process that was recorded under this name is alive
    local name pid since
    while read -r name pid since; do
        if [ "$name" = "$1" ] && [ "$(started_at "$pid" || true)" = "$since" ]; then
            echo "$pid"
            return 0
        fi
    done < "$PIDS"
    return 1
}

record() { # name pid
    local since
    since=$(started_at "$2") || return 1
    { grep -v "^$1 " "$PIDS" || true; echo "$1 $2 $since"; } > "$PIDS.new"
    mv "$PIDS.new" "$PIDS"
}
